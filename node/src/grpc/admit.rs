//! Who asks: the token of a request, looked up once before any service sees the request.
//!
//! The socket alone is no authority: its owner has the operator's token beside it. Only health,
//! reflection and logging in take none.

use tonic::{Request, Status, service::Interceptor};

use super::{Context, remote::Caller};
use crate::{
    clock::now_ms,
    local::{Actor, Admitted, Gate},
};

/// Lets a request through with its [`Admitted`], or not at all.
#[derive(Clone)]
pub(super) struct Admit(pub(super) Gate);

impl Interceptor for Admit {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let token = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let admitted = token.and_then(|token| self.0.admit(token, now_ms()));
        let admitted = admitted.ok_or_else(refused)?;
        if let Some(caller) = request.extensions().get::<Caller>() {
            caller.admitted();
        }
        request.extensions_mut().insert(admitted);
        Ok(request)
    }
}

/// The same where there is no token, a wrong one, and one whose time is over.
pub(super) fn refused() -> Status {
    Status::unauthenticated(
        "no token was shown that is good here; nothing was done. Log in with `tutti login NAME`, or \
         ask the node's administrator",
    )
}

impl Context {
    /// Who asks.
    pub(super) fn actor<T>(&self, request: &Request<T>) -> Result<Actor, Status> {
        self.admitted(request).map(|admitted| admitted.actor)
    }

    /// Who asks, and by which token.
    pub(super) fn admitted<T>(&self, request: &Request<T>) -> Result<Admitted, Status> {
        request.extensions().get::<Admitted>().cloned().ok_or_else(refused)
    }
}
