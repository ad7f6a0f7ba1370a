//! sled behind a guard: a panic inside it is an error here, and its text reaches nobody.
//!
//! sled 0.34.7 panics at damaged files and at a disk that is full, in the calling thread or in one
//! of its own. Unwinding alone is not enough: what the standard library then prints on standard error
//! frightens people, and may show pieces of what is stored. So a hook, put in once a process, passes
//! over the panics that happen inside a guarded call or in a thread of sled's; all others go on to
//! the hook that was there. Where in sled it was is kept for the notice; what it said is not.

use std::{
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind},
    sync::Once,
    thread,
};

thread_local! {
    /// How many guarded calls this thread is in.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic inside a guarded call was.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs something of sled's; a panic is an error.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, String> {
    put_hook_in();
    INSIDE.set(INSIDE.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(call));
    INSIDE.set(INSIDE.get() - 1);
    match result {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(_) => Err(format!("sled panicked{}", PLACE.take())),
    }
}

fn put_hook_in() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_quiet(info) {
                before(info);
            }
        }));
    });
}

/// Whether a panic is one of sled's; where it was is noted.
fn is_quiet(info: &PanicHookInfo<'_>) -> bool {
    if INSIDE.get() == 0 {
        return is_of_sled(thread::current().name());
    }
    let place = info.location().map(|at| {
        let file = at.file().rsplit('/').next().unwrap_or_default();
        format!(" in {file}, line {}", at.line())
    });
    PLACE.replace(place.unwrap_or_default());
    true
}

/// The names that sled gives to the threads that it starts.
fn is_of_sled(thread: Option<&str>) -> bool {
    thread.is_some_and(|name| name == "log flusher" || name.starts_with("sled-io-"))
}

/// A database all of whose calls are guarded, the closing too.
pub(super) struct Db(Option<sled::Db>);

impl Db {
    /// Opens it.
    pub(super) fn open(config: &sled::Config) -> Result<Self, String> {
        guarded(|| config.open()).map(|db| Self(Some(db)))
    }

    /// Runs something on it.
    pub(super) fn with<T>(
        &self,
        call: impl FnOnce(&sled::Db) -> Result<T, sled::Error>,
    ) -> Result<T, String> {
        // It is there until it is dropped.
        self.0.as_ref().map_or(Err("it is closed".into()), |db| guarded(|| call(db)))
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let db = self.0.take();
        let _ = guarded(|| {
            drop(db);
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Mutex;

    use super::*;

    /// The hook is the process's: a test's own above it asks as ours does.
    #[test]
    fn panics_of_sled_are_errors_and_are_not_printed() {
        static LOUD: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let _ = guarded(|| Ok(()));
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let name = thread::current().name().unwrap_or_default().to_string();
            if is_quiet(info) {
            } else if name == "one of ours" || is_of_sled(Some(&name)) {
                LOUD.lock().unwrap().push(name);
            } else {
                before(info);
            }
        }));
        let error = guarded::<()>(|| panic!("a page of somebody's")).unwrap_err();
        assert!(error.starts_with("sled panicked in guarded.rs, line "), "{error}");
        assert!(!error.contains("somebody"), "{error}");
        for name in ["log flusher", "sled-io-7", "one of ours"] {
            let thread = thread::Builder::new().name(name.into()).spawn(|| panic!("in a thread"));
            assert!(thread.unwrap().join().is_err());
        }
        assert_eq!(*LOUD.lock().unwrap(), ["one of ours"]);
    }
}
