//! Engines that pass entries and bodies to each other by hand, over stores in memory.

#![allow(clippy::unwrap_used)]

mod along;
mod approvals;
mod beside;
mod bounded;
mod cases;
mod damaged;
mod deadlines;
mod desk;
mod drafts;
mod duplicates;
mod erasing;
mod exchange;
mod faults;
mod further;
mod hidden;
mod hostile;
mod information;
mod onward;
mod referrals;
mod relays;
mod search;
mod strays;
mod unhappy;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tutti_core::{
    batch::VerifiedBatch,
    body::{Body, BodyKey, Part, Place},
    referral::{Command, ReferralId, form},
    sealing::routing,
    session::BodyWant,
    society::Origin,
    store::{MemoryStore, Reader as _, Store},
};
use tutti_proto::{node::v1 as api, v1};

use super::{Engine, Identity, Receipt, Refused, Write, exchange::Happening};
use crate::{
    local::Actor,
    testing::{FEDERATION, Federation, society},
};

type On<S> = Engine<S, ChaCha20Rng>;
type Node = On<MemoryStore>;

const NOW_MS: u64 = 1_764_000_000_000;

fn origin(code: &str) -> Origin {
    Origin::new(FEDERATION, society(code), 1).unwrap()
}

fn federation() -> Federation {
    Federation::found(&["sg", "ph", "qa"], &["sg", "ph", "qa"])
}

fn engine<S: Store>(federation: &Federation, code: &str, store: S) -> Engine<S, ChaCha20Rng> {
    let identity = Identity {
        society: society(code),
        name: format!("Society of {code}"),
        origin: origin(code),
        keyring: federation.keyring(code),
        started_at_ms: NOW_MS,
        listen: String::new(),
    };
    let seed = u64::from(code.as_bytes()[0]);
    let size = store.tree(&identity.origin).size();
    let rng = ChaCha20Rng::seed_from_u64(seed);
    Engine::new(identity, (*federation.roster).clone(), store, Some(size), rng, NOW_MS)
}

fn node(federation: &Federation, code: &str) -> Node {
    engine(federation, code, MemoryStore::new())
}

/// Stops the node and starts it again on what it had stored.
fn restarted(federation: &Federation, node: &Node, code: &str) -> Node {
    engine(federation, code, node.store.clone())
}

/// Every entry that `from` holds and `to` lacks.
fn pass_entries<A: Store, B: Store>(from: &On<A>, to: &mut On<B>) {
    for origin in from.store.logs() {
        let held = to.store.tree(&origin);
        let entries = from.store.entries(&origin, held.size(), u64::MAX, usize::MAX).unwrap();
        if entries.is_empty() || origin == to.identity.origin {
            continue;
        }
        let head = from.store.head(&origin).unwrap();
        let batch = VerifiedBatch::verify(&held, held.size(), &entries, head, Vec::new()).unwrap();
        to.store.append(&batch, &[]).unwrap();
        to.project(&origin, NOW_MS);
    }
}

/// What `node` asks for, in the order of asking.
fn wants<S: Store>(node: &mut On<S>) -> Vec<BodyWant> {
    let (wants, rest) = std::mem::take(&mut node.inbox)
        .into_iter()
        .partition::<Vec<_>, _>(|happening| matches!(happening, Happening::Want(_)));
    node.inbox.extend(rest);
    let want = |happening| match happening {
        Happening::Want(want) => Some(want),
        Happening::Grew(_) | Happening::Closed(_) => None,
        Happening::NotKept(_) | Happening::Told(_) => None,
    };
    wants.into_iter().filter_map(want).collect()
}

/// Hands over one body, as a holder does: only to whom a token of the entry shows.
fn pass_body<A: Store, B: Store>(from: &On<A>, to: &mut On<B>, want: &BodyWant) {
    let at = tutti_core::referral::EventRef { origin: want.origin.clone(), index: want.index };
    let header = from.header_at(&at).unwrap().unwrap();
    if header.visibility == tutti_core::entry::Visibility::Addressed {
        assert!(routing::admits(&want.token.unwrap(), &header.tags));
    }
    to.store.put_bodies(&[held(from, want.place(), &want.key())]).unwrap();
    to.project_body(&want.place(), NOW_MS);
}

/// A body that is here.
fn held<S: Store>(node: &On<S>, place: Place, key: &BodyKey) -> Body {
    Body::new(place, &node.store.body(key, 0, usize::MAX).unwrap().unwrap())
}

/// All that `from` holds and `to` may have.
fn pass<A: Store, B: Store>(from: &On<A>, to: &mut On<B>) {
    pass_entries(from, to);
    for want in wants(to) {
        // What was erased meanwhile nobody gives out.
        if from.store.body_state(&want.key()) == tutti_core::store::BodyState::Present {
            pass_body(from, to, &want);
        }
    }
}

fn one<S: Store>(engine: &mut Engine<S, ChaCha20Rng>, write: Write) -> Result<Receipt, Refused> {
    let mut answers = engine.write(vec![write], NOW_MS);
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// The template's referral, from sg to ph.
fn send(key: u8) -> Write {
    let form: form::ReferralForm = toml::from_str(form::example()).unwrap();
    let (sent, content) = form.to_messages().unwrap();
    Write::Send { key: [key; 16], sent: Box::new(sent), content: Box::new(content) }
}

fn advance(key: u8, id: ReferralId, command: Command, note: &str) -> Write {
    Write::Advance { key: [key; 16], id, command, note: note.into() }
}

fn decline() -> Command {
    Command::Decline(v1::Declined { code: v1::DeclineCode::NoCapacity as i32 })
}

fn withdraw() -> Command {
    Command::Withdraw(v1::Withdrawn { code: v1::WithdrawCode::PersonLeft as i32 })
}

/// The referral, without what differs from side to side: how far each side's own steps have come, and
/// which way it went.
fn shown<S: Store>(node: &On<S>, id: ReferralId) -> api::Referral {
    let mut referral = shown_with_delivery(node, id);
    (referral.delivery, referral.direction) = (0, 0);
    referral.events.iter_mut().for_each(|event| event.delivery = 0);
    referral
}

fn shown_with_delivery<S: Store>(node: &On<S>, id: ReferralId) -> api::Referral {
    let request =
        api::GetReferralRequest { id: id.to_string(), with_content: true, ..Default::default() };
    node.referral(&Actor::node(), &request, NOW_MS).unwrap()
}

fn id_of(receipt: &Receipt) -> ReferralId {
    ReferralId::from_bytes(receipt.id)
}
