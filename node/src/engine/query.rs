//! Questions: what the services show, built from the projections and the store.

use rand_core::CryptoRngCore;
use tutti_core::{society::Origin, store::Store};
use tutti_proto::node::v1 as api;

use super::{Engine, Refused};

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// Referrals by state and direction, a page at a time.
    pub fn referrals(
        &self,
        request: &api::ListReferralsRequest,
        now_ms: u64,
    ) -> Result<api::ListReferralsResponse, Refused> {
        let _ = (request, now_ms);
        Ok(api::ListReferralsResponse::default())
    }

    /// One referral; with its content where it is asked for and can be opened.
    pub fn referral(
        &self,
        request: &api::GetReferralRequest,
        now_ms: u64,
    ) -> Result<api::Referral, Refused> {
        let _ = now_ms;
        Err(Refused::NotFound(format!("there is no referral {} here", request.id)))
    }

    /// Information shares, a page at a time.
    pub fn shares(
        &self,
        request: &api::ListInformationRequest,
    ) -> Result<api::ListInformationResponse, Refused> {
        let _ = request;
        Ok(api::ListInformationResponse::default())
    }

    /// One information share.
    pub fn share(
        &self,
        request: &api::GetInformationRequest,
    ) -> Result<api::InformationShare, Refused> {
        Err(Refused::NotFound(format!("there is no information share {} here", request.id)))
    }

    /// Every log that is held.
    pub fn logs(&self) -> Vec<api::LogStatus> {
        Vec::new()
    }

    /// Some entries from `start`: at least one where there is one, never more than `count` nor
    /// more than a page.
    pub fn entries(
        &self,
        origin: &Origin,
        start: u64,
        count: u64,
    ) -> Result<Vec<api::LogEntry>, Refused> {
        let _ = (origin, start, count);
        Ok(Vec::new())
    }

    /// The entry and its C2SP tlog-proof.
    pub fn prove(&self, origin: &Origin, index: u64) -> Result<api::ProveResponse, Refused> {
        let _ = origin;
        Err(Refused::NotFound(format!("entry {index} is not in the log as it is held here")))
    }

    /// What a person sees first. Peers and addresses are the caller's to fill in.
    pub fn status(&self, now_ms: u64) -> api::StatusResponse {
        let _ = now_ms;
        api::StatusResponse { mode: self.mode().name().into(), ..Default::default() }
    }
}
