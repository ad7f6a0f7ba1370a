//! `tutti.node.v1.Login`, `People`, `Access`, `Drafts` and `Approvals`.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tutti_proto::node::v1::{
    self as api, access_server::Access, approvals_server::Approvals, drafts_server::Drafts,
    login_server::Login, people_server::People,
};

use super::{Context, log::cut, remote::Caller};
use crate::local::{Address, LoginStep, password};

/// Passwords that are hashed at once: each takes 19 MiB and a processor.
const HASHING: usize = 2;

/// Logins that may wait for their turn.
const WAITING: usize = 16;

#[derive(Clone)]
pub(super) struct Service(pub(super) Context);

#[derive(Clone)]
pub(super) struct LoginService {
    context: Context,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl LoginService {
    pub(super) fn new(context: Context) -> Self {
        Self {
            context,
            hashing: Arc::new(Semaphore::new(HASHING)),
            waiting: Arc::new(Semaphore::new(WAITING)),
        }
    }

    /// Runs a hash outside the runtime's own threads, in turn.
    async fn hash<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Status> {
        let _turn = self.hashing.acquire().await.map_err(|_| stopping())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| stopping())
    }
}

fn stopping() -> Status {
    Status::unavailable("the node is stopping; nothing was done")
}

/// The same whatever it was that is wrong.
fn wrong() -> Status {
    Status::unauthenticated(
        "name and password do not fit, or the start code is too old; nothing was done. The node's \
         administrator gives a new start code: `tutti user start-code NAME`",
    )
}

#[tonic::async_trait]
impl Login for LoginService {
    async fn login(
        &self,
        request: Request<api::LoginRequest>,
    ) -> Result<Response<api::IssuedToken>, Status> {
        let from = request.extensions().get::<Caller>().map_or(Address::Machine, Caller::address);
        let api::LoginRequest { name, password, new_password } = request.into_inner();
        if password.len() > password::PASSWORD_MAX || new_password.len() > password::PASSWORD_MAX {
            return Err(wrong());
        }
        let _place = self.waiting.try_acquire().map_err(|_| {
            Status::resource_exhausted("too many logins at once; nothing was done. Try again")
        })?;
        let engine = &self.context.engine;
        let asked = name.clone();
        let step = engine.ask(move |engine, now| engine.begin_login(&asked, from, now)).await??;
        let (hash, start_code) = match step {
            LoginStep::Wait(until) => {
                let wait_s = until.saturating_sub(crate::clock::now_ms()).div_ceil(1000);
                return Err(Status::resource_exhausted(format!(
                    "too many wrong passwords for this name from where you are, or from there at \
                     all; nothing was done. Try again in {wait_s} s"
                )));
            }
            LoginStep::Check { hash, start_code } => (hash, start_code),
        };
        let checked = hash.clone();
        let fits = self.hash(move || password::matches(&password, &hash)).await?;
        if !fits {
            return Err(wrong());
        }
        if start_code && new_password.is_empty() {
            return Err(Status::failed_precondition(
                "this is a start code: choose a password with it. Nothing was done",
            ));
        }
        let new_hash = match new_password.as_str() {
            "" => None,
            new if new.chars().count() < password::PASSWORD_MIN || new == name => {
                return Err(Status::invalid_argument(format!(
                    "a password has at least {} characters and is not the name; nothing was done",
                    password::PASSWORD_MIN
                )));
            }
            _ => {
                let salt = engine.ask(|engine, _| engine.draw_salt()).await?;
                self.hash(move || password::hash(&new_password, &salt)).await?
            }
        };
        let ended = engine
            .ask(move |engine, now| engine.end_login(&name, from, &checked, new_hash, now))
            .await?;
        ended.map(Response::new).map_err(|_| wrong())
    }
}

/// A handler that asks the engine as whoever asks.
macro_rules! ask {
    ($self:ident, $request:ident, $method:ident) => {{
        let actor = $self.0.actor(&$request)?;
        let request = $request.into_inner();
        let ask = $self.0.engine.ask(move |engine, now| engine.$method(&actor, &request, now));
        Ok(Response::new(ask.await??))
    }};
}

#[tonic::async_trait]
impl People for Service {
    async fn who_am_i(
        &self,
        request: Request<api::WhoAmIRequest>,
    ) -> Result<Response<api::WhoAmIResponse>, Status> {
        let admitted = self.0.admitted(&request)?;
        let ask = self.0.engine.ask(move |engine, now| engine.who_am_i(&admitted, now));
        Ok(Response::new(ask.await??))
    }

    async fn list_accounts(
        &self,
        request: Request<api::ListAccountsRequest>,
    ) -> Result<Response<api::ListAccountsResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, now| engine.accounts(&actor, &request, now));
        Ok(Response::new(ask.await??))
    }

    async fn add_account(
        &self,
        request: Request<api::AddAccountRequest>,
    ) -> Result<Response<api::AccountResponse>, Status> {
        ask!(self, request, add_account)
    }

    async fn set_roles(
        &self,
        request: Request<api::SetRolesRequest>,
    ) -> Result<Response<api::AccountResponse>, Status> {
        ask!(self, request, set_roles)
    }

    async fn set_active(
        &self,
        request: Request<api::SetActiveRequest>,
    ) -> Result<Response<api::AccountResponse>, Status> {
        ask!(self, request, set_active)
    }

    async fn renew_start_code(
        &self,
        request: Request<api::AccountRequest>,
    ) -> Result<Response<api::AccountResponse>, Status> {
        ask!(self, request, renew_start_code)
    }

    async fn resolve(
        &self,
        request: Request<api::ResolveRequest>,
    ) -> Result<Response<api::AccountResponse>, Status> {
        ask!(self, request, resolve)
    }

    async fn issue_token(
        &self,
        request: Request<api::IssueTokenRequest>,
    ) -> Result<Response<api::IssuedToken>, Status> {
        ask!(self, request, issue_token)
    }

    async fn list_tokens(
        &self,
        request: Request<api::ListTokensRequest>,
    ) -> Result<Response<api::ListTokensResponse>, Status> {
        ask!(self, request, tokens)
    }

    async fn revoke_token(
        &self,
        request: Request<api::RevokeTokenRequest>,
    ) -> Result<Response<api::TokenInfo>, Status> {
        ask!(self, request, revoke_token)
    }
}

#[tonic::async_trait]
impl Access for Service {
    type ExportStream = ReceiverStream<Result<api::ExportPiece, Status>>;

    async fn list(
        &self,
        request: Request<api::ListAccessRequest>,
    ) -> Result<Response<api::ListAccessResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, _| engine.access(&actor, &request));
        Ok(Response::new(ask.await??))
    }

    async fn export(
        &self,
        request: Request<api::ExportAccessRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        let actor = self.0.actor(&request)?;
        let ask = self.0.engine.ask(move |engine, now| engine.export_access(&actor, now));
        let files = ask.await??;
        let (sender, receiver) = mpsc::channel(8);
        tokio::spawn(async move {
            let total = files.len() as u64;
            for (done, (path, bytes)) in (1..).zip(files) {
                let file = tutti_core::export::ExportFile { path, bytes };
                for piece in cut(file, (done, total)) {
                    if sender.send(Ok(piece)).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

#[tonic::async_trait]
impl Drafts for Service {
    async fn save(
        &self,
        request: Request<api::SaveDraftRequest>,
    ) -> Result<Response<api::DraftInfo>, Status> {
        ask!(self, request, save_draft)
    }

    async fn list(
        &self,
        request: Request<api::ListDraftsRequest>,
    ) -> Result<Response<api::ListDraftsResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, now| engine.drafts(&actor, &request, now));
        Ok(Response::new(ask.await??))
    }

    async fn get(
        &self,
        request: Request<api::DraftRequest>,
    ) -> Result<Response<api::Draft>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, now| engine.draft(&actor, &request, now));
        Ok(Response::new(ask.await??))
    }

    async fn delete(
        &self,
        request: Request<api::DraftRequest>,
    ) -> Result<Response<api::DraftInfo>, Status> {
        ask!(self, request, delete_draft)
    }

    async fn list_left(
        &self,
        request: Request<api::ListLeftDraftsRequest>,
    ) -> Result<Response<api::ListLeftDraftsResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, now| engine.left_drafts(&actor, &request, now));
        Ok(Response::new(ask.await??))
    }

    async fn take(
        &self,
        request: Request<api::DraftRequest>,
    ) -> Result<Response<api::DraftInfo>, Status> {
        ask!(self, request, take_draft)
    }

    async fn discard(
        &self,
        request: Request<api::DraftRequest>,
    ) -> Result<Response<api::LeftDraft>, Status> {
        ask!(self, request, discard_draft)
    }
}

#[tonic::async_trait]
impl Approvals for Service {
    async fn ask(
        &self,
        request: Request<api::AskApprovalRequest>,
    ) -> Result<Response<api::ApprovalInfo>, Status> {
        ask!(self, request, ask_approval)
    }

    async fn list(
        &self,
        request: Request<api::ListApprovalsRequest>,
    ) -> Result<Response<api::ListApprovalsResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, _| engine.approvals(&actor, &request));
        Ok(Response::new(ask.await??))
    }

    async fn get(
        &self,
        request: Request<api::DraftRequest>,
    ) -> Result<Response<api::ApprovalDraft>, Status> {
        ask!(self, request, read_approval)
    }

    async fn answer(
        &self,
        request: Request<api::AnswerApprovalRequest>,
    ) -> Result<Response<api::ApprovalInfo>, Status> {
        ask!(self, request, answer_approval)
    }
}
