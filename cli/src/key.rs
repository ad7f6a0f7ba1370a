//! Idempotency keys: a write that was cut off can be repeated, and is carried out once.

use std::{future::Future, str::FromStr, time::Duration};

use clap::Args;
use rand_core::{OsRng, RngCore as _};
use tonic::Code;

use crate::{
    failure::{Exit, Failure},
    text,
};

/// How long the node may take to answer a write, far above what a slow disk needs.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// For every command that writes.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Repeat a command that was cut off, with the key that it printed: it is carried out once.
    #[arg(long, value_name = "HEX")]
    key: Option<Key>,
}

/// Sixteen bytes that name one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key([u8; 16]);

impl FromStr for Key {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut key = [0; 16];
        hex::decode_to_slice(text, &mut key)
            .map_err(|_| "a key is the 32 hexadecimal digits that an earlier command printed")?;
        Ok(Self(key))
    }
}

impl KeyArgs {
    /// The given key, or a new one.
    pub(crate) fn key(&self) -> Key {
        self.key.unwrap_or_else(|| {
            let mut key = [0; 16];
            OsRng.fill_bytes(&mut key);
            Key(key)
        })
    }
}

impl Key {
    /// As a request carries it.
    pub(crate) fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Carries out a write; where no answer came, by whatever cause, says how to repeat it.
    pub(crate) async fn write<T>(
        self,
        write: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
    ) -> Result<T, Failure> {
        self.write_until(write, ANSWER_MAX, tokio::signal::ctrl_c()).await
    }

    async fn write_until<T>(
        self,
        write: impl Future<Output = Result<tonic::Response<T>, tonic::Status>>,
        answer_max: Duration,
        interrupted: impl Future<Output = std::io::Result<()>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            answer = write => match answer {
                Ok(answer) => Ok(answer.into_inner()),
                Err(status) if is_lost(&status) => {
                    Err(self.lost("the connection to the node was lost before it answered"))
                }
                Err(status) => Err(status.into()),
            },
            () = tokio::time::sleep(answer_max) => {
                Err(self.lost("the node took what was written, and does not answer"))
            }
            Ok(()) = interrupted => Err(self.lost("this was ended before the node answered")),
        }
    }

    fn lost(self, what: &str) -> Failure {
        let command = again(std::env::args().collect(), self);
        Failure::new(Exit::Unreachable, what)
            .kept("the node has written all of it or nothing of it; which is not known here")
            .todo(format!(
                "see that the node runs (tutti status), then repeat exactly this; it is carried \
                 out once, however often you do:\n{command}"
            ))
    }
}

/// Whether the node may or may not have carried out what it was told.
fn is_lost(status: &tonic::Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded => true,
        // What tonic itself says of a broken stream; the node's own words have no source.
        Code::Unknown | Code::Internal => std::error::Error::source(status).is_some(),
        _ => false,
    }
}

/// The command as it was typed, with its key.
fn again(typed: Vec<String>, key: Key) -> String {
    let mut words: Vec<String> = typed.iter().map(|word| text::shell(word)).collect();
    if !typed.iter().any(|word| word == "--key" || word.starts_with("--key=")) {
        words.push("--key".into());
        words.push(hex::encode(key.0));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_to_repeat_is_the_one_that_was_typed() {
        let key = Key([0xab; 16]);
        let typed = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            again(typed(&["tutti", "referral", "accept", "3f9a", "--note", "we do"]), key),
            format!("tutti referral accept 3f9a --note 'we do' --key {}", "ab".repeat(16))
        );
        let with_key = ["tutti", "x", "--key", "00"];
        assert_eq!(again(typed(&with_key), key), "tutti x --key 00");
    }

    #[tokio::test]
    async fn a_node_that_hangs_and_ctrl_c_leave_the_key() {
        let key = Key([0xab; 16]);
        let never = || std::future::pending::<Result<tonic::Response<()>, tonic::Status>>();
        let soon = Duration::from_millis(1);
        let hung = key.write_until(never(), soon, std::future::pending()).await;
        let ended = key.write_until(never(), ANSWER_MAX, std::future::ready(Ok(()))).await;
        for (failure, said) in [(hung, "does not answer"), (ended, "was ended")] {
            let failure = failure.expect_err(said);
            assert_eq!(failure.code(), Exit::Unreachable);
            let text = failure.to_string();
            assert!(text.contains(said) && text.contains(&"ab".repeat(16)), "{text}");
        }
    }

    #[test]
    fn the_nodes_own_refusal_is_not_taken_for_a_lost_connection() {
        assert!(!is_lost(&tonic::Status::internal("a fault")));
        assert!(!is_lost(&tonic::Status::failed_precondition("no")));
        assert!(is_lost(&tonic::Status::unavailable("gone")));
        let broken = std::io::Error::other("broken pipe");
        assert!(is_lost(&tonic::Status::from_error(Box::new(broken))));
    }
}
