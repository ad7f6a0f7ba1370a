//! Passing a case on: two entries of one write, so that no referral goes on unsaid.

use rand_core::CryptoRngCore;
use tutti_core::{
    referral::{self, FIELDS, Referral, ReferralId, Refusal, onward},
    store::Store,
};
use tutti_proto::v1::{self, content::Content};

use super::{Engine, Group, Refused, Write, draft::Draft};
use crate::local::Actor;

impl<S: Store, R: CryptoRngCore> Engine<S, R> {
    /// What is sent to the third society, and what the first referral says of it.
    pub(super) fn pass_on(
        &self,
        by: &Actor,
        write: Write,
        group: &Group,
        now_ms: u64,
    ) -> Result<[Draft; 2], Refused> {
        let Write::PassOn { key, id, to, told, services, withhold } = write else {
            return Err(Refused::Internal("no case is passed on".into()));
        };
        if told.as_ref().is_some_and(|told| referral::overriding::is_override(&told.0)) {
            return Err(Refused::State(
                "nobody's word is overridden in passing a case on; nothing was written. Where it must \
                 be, send a referral of its own"
                    .into(),
            ));
        }
        let first = self.case_in(group, &id)?.ok_or(Refusal::NotFound)?;
        let first = &*first;
        if withhold.iter().any(|field| !FIELDS.contains(&field.as_str())) {
            return Err(Refused::Invalid(format!(
                "withhold: holds something that is not a field; nothing was written. Fields are: {}",
                FIELDS.join(", ")
            )));
        }
        let onward = ReferralId::of(&self.identity.origin, &key);
        // First whether the case may be passed on at all: that is the clearer answer.
        let body = v1::Onward { receiver: to.to_string(), referral_id: onward.as_bytes().to_vec() };
        let command = referral::Command::PassOn(body);
        let told_first = self.advance(key, id, command, String::new(), group, now_ms)?;
        let (sent, content) = match told {
            Some(told) => *told,
            None => self.as_it_is_known(first, to, &services, &withhold, now_ms)?,
        };
        let onward_of = id.as_bytes().to_vec();
        let sent = v1::Sent { receiver: to.to_string(), onward_of, ..sent };
        Ok([self.send(by, key, (sent, content), Some(first), group, now_ms)?, told_first])
    }

    fn as_it_is_known(
        &self,
        first: &Referral,
        to: tutti_core::society::Society,
        services: &[i32],
        withhold: &[String],
        now_ms: u64,
    ) -> Result<(v1::Sent, v1::ReferralContent), Refused> {
        let case = match self.case_event(first) {
            Some(event) => self.open_content(&event.at, &event.event_id, now_ms)?,
            None => None,
        };
        let Some(Content::Referral(case)) = case else {
            return Err(Refused::State(
                "the case is not here, or no longer, so it cannot be passed on; nothing was \
                 written. See `tutti referral show`"
                    .into(),
            ));
        };
        Ok(onward::compose(first, &case, to, services, withhold))
    }
}
