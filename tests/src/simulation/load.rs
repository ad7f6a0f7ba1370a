//! What people at the societies do: refer, answer, take back, close, and share information.

use tutti_core::{
    information::{InformationId, Readers, form as information},
    referral::{Command, Kind, ReferralId, Side, State, form as referral},
};
use tutti_node::engine::{Receipt, Write};
use tutti_proto::v1;

use super::{Conduct, Simulation, truth::Parties, writing::Job};

const DAY_MS: u64 = 86_400_000;

/// A referral that somebody works on.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The referral.
    pub id: ReferralId,
    /// The number of the sending node.
    pub sender: usize,
    /// Of the receiving one.
    pub receiver: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Load {
    sent: v1::Sent,
    content: v1::ReferralContent,
    version: v1::InformationVersion,
    written: u64,
    /// The shortest and the longest time that some contents are to be kept, days.
    pub keep_days: Option<(u64, u64)>,
    /// Now and then people do what is seldom done, too: every state is reached.
    pub seldom: bool,
    /// Referrals that are not closed yet, as far as is known.
    pub cases: Vec<Case>,
}

impl Default for Load {
    fn default() -> Self {
        let form: referral::ReferralForm =
            toml::from_str(referral::example()).expect("the template is sound");
        let (mut sent, content) = form.to_messages().expect("the template is sound");
        // A day of consent depends on the clock, and these are off by years.
        sent.legal_basis = v1::LegalBasis::VitalInterest as i32;
        sent.consent = None;
        let form: information::InformationForm =
            toml::from_str(information::example()).expect("the template is sound");
        let (_, version) = form.to_messages().expect("the template is sound");
        Self {
            sent,
            content,
            version,
            written: 0,
            keep_days: None,
            seldom: false,
            cases: Vec::new(),
        }
    }
}

impl Load {
    fn key(&mut self) -> [u8; 16] {
        self.written += 1;
        u128::from(self.written).to_be_bytes()
    }

    /// One society refers a person to another.
    pub fn send(&mut self, simulation: &mut Simulation, sender: usize, receiver: usize) {
        let key = self.key();
        let parties = [sender, receiver].map(|node| simulation.nodes[node].society);
        let mut sent = v1::Sent { receiver: parties[1].to_string(), ..self.sent.clone() };
        if let Some((low, high)) = self.keep_days
            && simulation.choose(3) > 0
        {
            // The day stands in a letter. Where the clock is past it, the node refuses, and
            // somebody looks at the clock.
            let days = low + simulation.choose((high - low) as usize) as u64;
            let until_ms = (simulation.now_ms() / DAY_MS + days) * DAY_MS;
            if simulation.nodes[sender].clock(simulation.now_ms()) >= until_ms {
                simulation.set_clock(sender, 0);
            }
            sent.retain_until = until_ms / 1000;
        }
        let mut content = self.content.clone();
        content.case_code = format!("{} {}", parties[0], self.written);
        let write = Write::Send { key, sent: Box::new(sent), content: Box::new(content) };
        let job = Job { write, parties: Parties::Named(parties.into()) };
        let origin = super::origin(parties[0]);
        let id = ReferralId::of(&origin, &key);
        simulation.write(sender, vec![job]);
        self.cases.push(Case { id, sender, receiver });
    }

    /// Somebody at one side takes a step that seems right from there. Says what, where one was.
    pub fn step(&mut self, simulation: &mut Simulation, case: Case, side: Side) -> Option<Kind> {
        let node = match side {
            Side::Sender => case.sender,
            Side::Receiver => case.receiver,
        };
        let register = simulation.nodes[node].engine()?.referral_register();
        let state = register.get(&case.id)?.state;
        let rare = self.seldom && simulation.choose(6) == 0;
        let receiver = simulation.nodes[case.receiver].society;
        let command = match rare {
            true => seldom(state, side, simulation.choose(100), receiver),
            false => None,
        };
        let command = match command {
            Some(command) => command,
            None => command_of(state, side, simulation.choose(100))?,
        };
        let kind = command.kind();
        let key = self.key();
        // What would be erased at once is not written down.
        let note = match kind.ends() {
            true => String::new(),
            false => format!("Step {} of this case, in a few words.", self.written),
        };
        let write = Write::Advance { key, id: case.id, command, note };
        let parties = [case.sender, case.receiver].map(|node| simulation.nodes[node].society);
        simulation.write_from(node, write, parties);
        Some(kind)
    }

    /// A society tells all others something, so many times at once.
    pub fn publish(
        &mut self,
        simulation: &mut Simulation,
        node: usize,
        count: usize,
    ) -> Vec<Option<Receipt>> {
        let jobs = (0..count).map(|_| {
            let write = Write::Publish {
                key: self.key(),
                readers: Readers {
                    visibility: tutti_core::entry::Visibility::Federation,
                    addressees: Vec::new(),
                    group: String::new(),
                },
                version: Box::new(self.version.clone()),
                supersedes: None,
            };
            Job { write, parties: Parties::All }
        });
        let jobs = jobs.collect();
        simulation.write(node, jobs)
    }

    /// A society puts a new version in the place of what it has told.
    pub fn revise(&mut self, simulation: &mut Simulation, node: usize) {
        let society = simulation.nodes[node].society;
        let Some(engine) = simulation.nodes[node].engine() else { return };
        let all = engine.information_register().iter();
        let own = all.filter(|(_, share)| share.society == society);
        let Some(id) = own.last().map(|(id, _)| *id) else { return };
        let write = self.revision(id);
        simulation.write(node, vec![Job { write, parties: Parties::All }]);
    }

    fn revision(&mut self, id: InformationId) -> Write {
        let command = tutti_core::information::Command::Revise(Box::new(self.version.clone()));
        Write::Inform { key: self.key(), id, command, version: 0 }
    }

    /// Anyone does anything.
    pub fn anything(&mut self, simulation: &mut Simulation) {
        let count = simulation.nodes.len();
        let (node, other) = (simulation.choose(count), simulation.choose(count));
        let honest = |node: usize| simulation.nodes[node].conduct == Conduct::Honest;
        let pair = honest(node) && honest(other) && node != other;
        match simulation.choose(10) {
            0 | 1 if pair => self.send(simulation, node, other),
            2 => {
                let times = 1 + simulation.choose(3);
                self.publish(simulation, node, times);
            }
            3 => self.revise(simulation, node),
            _ if self.cases.is_empty() => {}
            _ => {
                let at = simulation.choose(self.cases.len());
                let side = [Side::Sender, Side::Receiver][simulation.choose(2)];
                self.step(simulation, self.cases[at], side);
            }
        }
    }

    /// So many times, so far apart.
    pub fn many(&mut self, simulation: &mut Simulation, times: usize, apart_ms: u64) {
        for _ in 0..times {
            self.anything(simulation);
            simulation.run(apart_ms);
        }
    }
}

impl Simulation {
    /// A write of one party, for the other.
    fn write_from(&mut self, node: usize, write: Write, mut parties: [super::Society; 2]) {
        if parties[0] != self.nodes[node].society {
            parties.reverse();
        }
        self.write(node, vec![Job { write, parties: Parties::Named(parties.into()) }]);
    }
}

/// What one side does in a state, as `chance` of a hundred has it.
fn command_of(state: State, side: Side, chance: usize) -> Option<Command> {
    let decline = || Command::Decline(v1::Declined { code: v1::DeclineCode::NoCapacity as i32 });
    let withdraw =
        || Command::Withdraw(v1::Withdrawn { code: v1::WithdrawCode::PersonLeft as i32 });
    // The person's word, at either side and at any time: nothing goes on, and all is erased.
    if chance < 3 && !state.is_stopped() {
        return Some(Command::RequestErasure(v1::ErasureRequested {
            ground: v1::ErasureGround::Person as i32,
            ..Default::default()
        }));
    }
    Some(match (side, state) {
        (Side::Receiver, State::Sent) if chance < 70 => Command::Acknowledge,
        (Side::Receiver, State::Sent | State::Acknowledged) => match chance % 10 {
            0..=5 => Command::Accept,
            6 | 7 => decline(),
            _ => Command::RequestInformation(v1::InformationRequested::default()),
        },
        (Side::Receiver, State::InformationRequested) if chance < 10 => decline(),
        (Side::Receiver, State::Accepted) if chance < 50 => Command::Start,
        (Side::Receiver, State::InProgress) if chance < 20 => {
            Command::Pause(v1::Paused { code: v1::PauseCode::NoCapacity as i32 })
        }
        (Side::Receiver, State::OnHold) => Command::Resume,
        (Side::Receiver, State::Accepted | State::InProgress) => {
            Command::Deliver(v1::ServiceDelivered {
                result: v1::DeliveryResult::Fully as i32,
                services_delivered: vec![v1::ServiceCategory::FamilyContact as i32],
            })
        }
        (Side::Sender, State::Sent | State::Acknowledged) if chance < 20 => withdraw(),
        (Side::Sender, State::InformationRequested) => match chance {
            0..=79 => Command::ProvideInformation(v1::InformationProvided::default()),
            _ => withdraw(),
        },
        (Side::Sender, State::Completed | State::Declined | State::Withdrawn) => {
            Command::Close(v1::Closed {
                outcome: v1::Outcome::NeedMet as i32,
                feedback: v1::Feedback::Satisfied as i32,
            })
        }
        _ => return None,
    })
}

/// What one side seldom does in a state; some of it is refused.
fn seldom(state: State, side: Side, chance: usize, receiver: super::Society) -> Option<Command> {
    use State as S;
    if state == S::Closed {
        let consent = v1::Consent {
            status: v1::ConsentStatus::Given as i32,
            form: v1::ConsentForm::Verbal as i32,
            given_by: v1::ConsentGiver::Person as i32,
            recipients: vec![receiver.to_string()],
            purposes: vec![v1::Purpose::Repatriation as i32],
            ..Default::default()
        };
        let code = v1::ReopenCode::ConsentGivenAnew as i32;
        let reopened = v1::Reopened { code, consent: Some(consent), ..Default::default() };
        return (side == Side::Sender).then_some(Command::Reopen(reopened, None));
    }
    match chance {
        _ if state.is_stopped() => None,
        0..10 => Some(Command::WithdrawConsent(v1::ConsentWithdrawn {
            by: v1::ConsentGiver::Person as i32,
            form: v1::ConsentForm::Verbal as i32,
            ..Default::default()
        })),
        10..20 => Some(Command::EnterInError(v1::EnteredInError::default())),
        _ => match (side, state) {
            (_, S::Accepted | S::InProgress | S::OnHold) if chance < 50 => {
                Some(Command::Cancel(v1::Cancelled { code: 1 }))
            }
            // Only where the own clock says that nobody has answered in time.
            (Side::Sender, S::Sent | S::Acknowledged | S::InformationRequested) => {
                Some(Command::Expire)
            }
            (Side::Sender, S::Expired | S::Cancelled) => Some(Command::Close(v1::Closed {
                outcome: 1,
                feedback: v1::Feedback::NotGiven as i32,
            })),
            _ => None,
        },
    }
}
