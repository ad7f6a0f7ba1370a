//! Caseworkers who never stop: each sends a sealed case after the other, takes some a step on or back, and
//! says of some that the person no longer agrees. What the node has answered must hold whatever is killed.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tutti_core::referral::form::{ReferralForm, example};
use tutti_proto::{
    node::v1::{
        AdvanceReferralRequest, BodyState, ListReferralsRequest, Receipt, Referral, ReferralState,
        SendReferralRequest, advance_referral_request::Transition,
        referrals_client::ReferralsClient,
    },
    v1::{ConsentGiver, ConsentRenewed, ConsentWithdrawn, WithdrawCode, Withdrawn},
};

use tonic::Code;

use crate::writer::{Gate, runtime, socket};

/// What a caseworker does with the n-th case after it was sent.
const AFTER: [Option<&str>; 4] =
    [None, Some("consent_renewed"), Some("withdrawn"), Some("consent_withdrawn")];

/// An answer of the node: this was said of that case.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) receipt: Receipt,
    pub(crate) what: &'static str,
}

impl Said {
    /// As the log tells it.
    pub(crate) fn summary(&self) -> String {
        format!("referral {} {} to ph", self.receipt.id, self.what)
    }
}

/// See the module.
pub(crate) struct Caseworkers {
    threads: Vec<thread::JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    said: Arc<Mutex<Vec<Said>>>,
}

enum Asked {
    Send(Box<SendReferralRequest>),
    Advance(Box<AdvanceReferralRequest>),
}

fn key(case: u64, step: u8) -> Vec<u8> {
    let mut key = vec![b'c'; 16];
    key[..8].copy_from_slice(&case.to_be_bytes());
    key[8] = step;
    key
}

fn sending(case: u64) -> Asked {
    let mut form: ReferralForm = toml::from_str(example()).unwrap();
    form.content.get_or_insert_default().case_code = format!("case {case}");
    let (sent, content) = form.to_messages().unwrap();
    Asked::Send(Box::new(SendReferralRequest {
        idempotency_key: key(case, 0),
        sent: Some(sent),
        content: Some(content),
        draft: String::new(),
    }))
}

fn after(case: u64, id: &str, what: &str) -> Asked {
    let form: ReferralForm = toml::from_str(example()).unwrap();
    let (sent, _) = form.to_messages().unwrap();
    let transition = match what {
        "consent_renewed" => Transition::RenewConsent(ConsentRenewed { consent: sent.consent }),
        "withdrawn" => Transition::Withdraw(Withdrawn { code: WithdrawCode::PersonLeft as i32 }),
        _ => Transition::WithdrawConsent(ConsentWithdrawn {
            by: ConsentGiver::Person as i32,
            ..Default::default()
        }),
    };
    Asked::Advance(Box::new(AdvanceReferralRequest {
        idempotency_key: key(case, 1),
        id: id.into(),
        // What would be erased at once is refused.
        note: match what {
            "consent_withdrawn" => String::new(),
            _ => format!("a note on case {case}"),
        },
        transition: Some(transition),
        ..Default::default()
    }))
}

impl Caseworkers {
    /// `count` of them at the node in `dir`.
    pub(crate) fn start(dir: &Path, count: u64, gate: &Gate) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let said = Arc::new(Mutex::new(Vec::new()));
        let threads = (0..count).map(|_| {
            let (dir, stop, said) = (dir.to_path_buf(), stop.clone(), said.clone());
            let gate = gate.clone();
            thread::spawn(move || runtime().block_on(work(&dir, &stop, &gate, &said)))
        });
        Self { threads: threads.collect(), stop, said }
    }

    /// What was said, but for the first `skip`.
    pub(crate) fn said_from(&self, skip: usize) -> Vec<Said> {
        self.said.lock().unwrap().get(skip..).unwrap_or_default().to_vec()
    }

    /// Lets them come to an end.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().expect("a caseworker");
        }
    }
}

/// One caseworker's day: what was not answered is asked for again under the same key.
async fn work(dir: &Path, stop: &AtomicBool, gate: &Gate, said: &Mutex<Vec<Said>>) {
    static CASES: AtomicU64 = AtomicU64::new(0);
    let mut case = CASES.fetch_add(1, Ordering::SeqCst);
    let mut next = (sending(case), "sent");
    while !stop.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let Ok(channel) = socket(dir).await else { continue };
        let mut client = ReferralsClient::new(channel);
        while !stop.load(Ordering::SeqCst) {
            gate.pass(stop).await;
            let answer = match &next.0 {
                Asked::Send(request) => client.send((**request).clone()).await,
                Asked::Advance(request) => client.advance((**request).clone()).await,
            };
            let answer = match answer {
                Ok(answer) => answer,
                Err(status) => {
                    let refused = [Code::InvalidArgument, Code::PermissionDenied, Code::NotFound];
                    assert!(!refused.contains(&status.code()), "{}: {status}", next.1);
                    break;
                }
            };
            let (receipt, what) = (answer.into_inner(), next.1);
            let then = AFTER[(case % AFTER.len() as u64) as usize].filter(|_| what == "sent");
            next = match then {
                Some(then) => (after(case, &receipt.id, then), then),
                None => {
                    case = CASES.fetch_add(1, Ordering::SeqCst);
                    (sending(case), "sent")
                }
            };
            said.lock().unwrap().push(Said { receipt, what });
        }
    }
}

/// Every case that a node shows, by id.
pub(crate) fn cases(dir: &Path) -> BTreeMap<String, Referral> {
    runtime().block_on(async {
        let mut client = ReferralsClient::new(socket(dir).await.expect("the node's socket"));
        let (mut cases, mut page_token) = (BTreeMap::new(), String::new());
        loop {
            let request =
                ListReferralsRequest { page_size: 1000, page_token, ..Default::default() };
            let page = client.list(request).await.expect("a page").into_inner();
            cases.extend(page.referrals.into_iter().map(|case| (case.id.clone(), case)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return cases;
            }
        }
    })
}

/// What a node shows of a case is what was said of it, and an erasure that was acknowledged is done.
pub(crate) fn holds(shown: &BTreeMap<String, Referral>, said: &Said) {
    let case = shown.get(&said.receipt.id).unwrap_or_else(|| panic!("{said:?} is gone"));
    let (state, content) = (case.state(), case.content_state());
    match said.what {
        "consent_withdrawn" => {
            assert_eq!(state, ReferralState::ConsentWithdrawn, "{said:?}");
            assert_eq!(content, BodyState::Erased, "{said:?}");
        }
        "withdrawn" => assert_eq!(state, ReferralState::Withdrawn, "{said:?}"),
        // What was said since may be durable and not answered.
        _ => assert!(
            content == BodyState::Present || state == ReferralState::ConsentWithdrawn,
            "{said:?}: {state:?}, {content:?}"
        ),
    }
}

/// Both sides show the same of every case; what was to be erased is, at both, and each has said so; and
/// the sender knows that all of the rest has arrived.
pub(crate) fn agree(
    here: &BTreeMap<String, Referral>,
    there: &BTreeMap<String, Referral>,
) -> Result<(), String> {
    if here.len() != there.len() {
        return Err(format!("{} cases here, {} there", here.len(), there.len()));
    }
    for (id, case) in here {
        let other = there.get(id).ok_or_else(|| format!("{id} is not there"))?;
        let both = (case.state(), case.content_state());
        if both != (other.state(), other.content_state()) {
            let other = (other.state(), other.content_state());
            return Err(format!("{id}: {both:?} here, {other:?} there"));
        }
        let stopped = case.state() == ReferralState::ConsentWithdrawn;
        let wanted = if stopped { BodyState::Erased } else { BodyState::Present };
        if case.content_state() != wanted {
            return Err(format!("{id}: {both:?}"));
        }
        for side in case.erasure.iter().flat_map(|erasure| &erasure.confirmations) {
            if !side.confirmed {
                return Err(format!("{id}: {} has not confirmed", side.society));
            }
        }
        if stopped && case.erasure.as_ref().is_none_or(|erasure| erasure.confirmations.len() != 2) {
            return Err(format!("{id}: nothing says that it is erased"));
        }
    }
    Ok(())
}
