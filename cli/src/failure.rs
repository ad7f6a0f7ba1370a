//! What a command says when it did not succeed: what happened, what was kept, what to do; and the
//! exit code that goes with it (`tutti_node::exit`, the one table).

use std::fmt;

pub(crate) use tutti_node::exit::Exit;

use crate::text;

/// Why a command did not succeed, for a person.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    kept: Option<String>,
    todo: Option<String>,
    code: Exit,
}

/// What every verb answers: the exit code, or a failure that has its own.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    /// A sentence that says what happened, and its exit code.
    pub(crate) fn new(code: Exit, what: impl Into<String>) -> Self {
        Self { what: what.into(), kept: None, todo: None, code }
    }

    /// What is as it was, or is safe.
    pub(crate) fn kept(mut self, kept: impl Into<String>) -> Self {
        self.kept = Some(kept.into());
        self
    }

    /// The next step.
    pub(crate) fn todo(mut self, todo: impl Into<String>) -> Self {
        self.todo = Some(todo.into());
        self
    }

    /// The exit code.
    pub(crate) fn code(&self) -> Exit {
        self.code
    }

    /// A file or folder that could not be read or written.
    pub(crate) fn io(path: &std::path::Path, error: &std::io::Error) -> Self {
        let code = match error.kind() {
            std::io::ErrorKind::StorageFull => Exit::DiskFull,
            _ => Exit::Usage,
        };
        Self::new(code, format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A sentence may quote what others wrote.
        let say = |text: &str| text::block(text, "  ").trim_start().to_owned();
        write!(f, "{}", say(&self.what))?;
        if let Some(kept) = &self.kept {
            write!(f, "\n  kept:  {}", say(kept))?;
        }
        if let Some(todo) = &self.todo {
            write!(f, "\n  to do: {}", say(todo))?;
        }
        Ok(())
    }
}

/// What the node answered: its sentence, and the exit code that fits the status.
impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        use tonic::Code;
        let code = match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Exit::Unreachable,
            Code::Unauthenticated => Exit::Key,
            Code::ResourceExhausted => Exit::DiskFull,
            Code::DataLoss => Exit::Damaged,
            // What tonic says of a connection that broke; the node's own words have no source.
            Code::Internal | Code::Unknown if std::error::Error::source(&status).is_some() => {
                return Self::new(Exit::Unreachable, format!("no answer came: {}", cause(&status)))
                    .todo("see that a node runs there, and that it is its client API");
            }
            Code::Internal | Code::Unknown | Code::Unimplemented => Exit::Internal,
            _ => Exit::Refused,
        };
        let what = match status.message() {
            "" => format!("the node answered {:?} and gave no reason", status.code()),
            said => said.to_owned(),
        };
        Self::new(code, what)
    }
}

/// The innermost cause says it best.
fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
