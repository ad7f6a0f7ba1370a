//! `tutti.node.v1.Referrals`.

use tonic::{Request, Response, Status};
use tutti_proto::node::v1::{self as api, referrals_server::Referrals};

use super::{Context, decode};

pub(super) struct Service(pub(super) Context);

#[tonic::async_trait]
impl Referrals for Service {
    async fn send(
        &self,
        request: Request<api::SendReferralRequest>,
    ) -> Result<Response<api::Receipt>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let draft = request.draft.clone();
        let write = decode::send(request)?;
        let written = self.0.write_approved(actor, write, &draft).await?;
        Ok(Response::new(decode::receipt(&written)))
    }

    async fn advance(
        &self,
        request: Request<api::AdvanceReferralRequest>,
    ) -> Result<Response<api::Receipt>, Status> {
        let actor = self.0.actor(&request)?;
        let write = decode::advance(request.into_inner())?;
        Ok(Response::new(decode::receipt(&self.0.write(actor, write).await?)))
    }

    async fn pass_on(
        &self,
        request: Request<api::PassReferralOnRequest>,
    ) -> Result<Response<api::Receipt>, Status> {
        let actor = self.0.actor(&request)?;
        let write = decode::pass_on(request.into_inner())?;
        Ok(Response::new(decode::receipt(&self.0.write(actor, write).await?)))
    }

    async fn list(
        &self,
        request: Request<api::ListReferralsRequest>,
    ) -> Result<Response<api::ListReferralsResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask =
            self.0.engine.ask(move |engine, now| engine.read_referrals(&actor, &request, now));
        let page = ask.await??;
        Ok(Response::new(page))
    }

    async fn get(
        &self,
        request: Request<api::GetReferralRequest>,
    ) -> Result<Response<api::Referral>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, now| engine.read_referral(&actor, &request, now));
        let referral = ask.await??;
        Ok(Response::new(referral))
    }

    async fn assign(
        &self,
        request: Request<api::AssignReferralRequest>,
    ) -> Result<Response<api::AssignReferralResponse>, Status> {
        let actor = self.0.actor(&request)?;
        let request = request.into_inner();
        let ask = self.0.engine.ask(move |engine, now| engine.assign(&actor, &request, now));
        Ok(Response::new(ask.await??))
    }
}
