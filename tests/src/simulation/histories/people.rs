//! What people do in one history, chosen at random: refer, answer, race, pass on, take back, agree
//! no longer. What befalls their machines meanwhile is in [`super::machines`].

use tutti_core::{
    referral::{CATEGORIES, Command, ReferralId, form as referral},
    society::Society,
};
use tutti_node::{engine::Write, local::Actor};
use tutti_proto::{node::v1 as api, v1};

use super::{History, Theme, words::STEM};
use crate::simulation::{origin, truth::Parties, writing::Job};

/// A referral that was sent, or was to be.
#[derive(Debug, Clone)]
pub(super) struct Matter {
    pub(super) id: ReferralId,
    /// The numbers of the sending and the receiving node.
    pub(super) parties: [usize; 2],
    /// Stands in its case and in every note, and nowhere else but where the case was passed on.
    pub(super) word: String,
    /// The one that this passes on.
    pub(super) first: Option<usize>,
}

impl History {
    /// Somebody does something, or something happens; one in five times what this history is about.
    pub(super) fn act(&mut self) {
        let acts = if self.with_files { 150 } else { 125 };
        match self.choose(acts) {
            125.. => self.act_on_files(),
            100.. => self.act_on_theme(),
            0..=11 => self.send(false),
            12..=24 => self.pass_on(),
            25..=55 => self.step(),
            56..=62 => self.race(),
            63..=70 => self.stop(),
            71..=75 => self.reopen(),
            76..=79 => self.inform(),
            80..=84 => self.away(),
            85..=90 => self.part(),
            91..=93 => self.fill(),
            94 | 95 => self.set_clock(),
            96 | 97 => self.restore(),
            _ => self.simulation.run(90_000),
        }
        let waits = [0, 0, 20, 20, 200, 1_500, 4_000, 15_000];
        let wait_ms = waits[self.choose(waits.len())];
        self.simulation.run(wait_ms);
    }

    fn act_on_theme(&mut self) {
        match self.theme {
            Theme::Onward => self.send_and_pass_on(),
            Theme::Retention => self.send(false),
            Theme::Addressed => self.address(),
            Theme::Forged => self.forge(),
        }
    }

    pub(super) fn choose(&mut self, bound: usize) -> usize {
        self.simulation.choose(bound)
    }

    pub(super) fn key(&mut self) -> [u8; 16] {
        self.written += 1;
        u128::from(self.written).to_be_bytes()
    }

    pub(super) fn society(&self, node: usize) -> Society {
        self.simulation.nodes[node].society
    }

    pub(super) fn write(&mut self, node: usize, parties: Parties, write: Write) {
        self.simulation.write(node, vec![Job { write, parties }]);
    }

    /// What the person agrees to: the societies with these numbers, and perhaps not every field.
    fn consent(&mut self, whom: &[usize]) -> v1::Consent {
        let mut consent = v1::Consent {
            status: v1::ConsentStatus::Given as i32,
            form: v1::ConsentForm::Verbal as i32,
            given_by: v1::ConsentGiver::Person as i32,
            recipients: whom.iter().map(|node| self.society(*node).to_string()).collect(),
            purposes: vec![v1::Purpose::Repatriation as i32],
            ..Default::default()
        };
        if self.choose(4) == 0 {
            let fields = ["person.name", "reason"].into_iter().chain(CATEGORIES);
            consent.fields = fields.map(String::from).collect();
        }
        consent
    }

    fn case(&mut self, word: &str, consent: Option<&v1::Consent>) -> v1::ReferralContent {
        let mut content = v1::ReferralContent {
            case_code: format!("{word} code"),
            reason: format!("{word} reason"),
            person: Some(v1::Person { name: format!("{word} name"), ..Default::default() }),
            ..Default::default()
        };
        if consent.is_none_or(|consent| consent.fields.is_empty()) && self.choose(2) == 0 {
            content.risk = format!("{word} risk");
        }
        content
    }

    /// Somebody is referred; `anywhere`: and agrees to whomever it is passed on to.
    fn send(&mut self, anywhere: bool) {
        let (sender, receiver) = (self.choose(self.count()), self.choose(self.count()));
        if sender == receiver {
            return;
        }
        let form: referral::ReferralForm =
            toml::from_str(referral::example()).expect("the example is sound");
        let (mut sent, _) = form.to_messages().expect("the example is sound");
        let mut whom = vec![receiver];
        whom.extend((0..self.count()).filter(|node| *node != sender && *node != receiver));
        if !anywhere {
            let agreed = 1 + self.choose(whom.len());
            whom.truncate(agreed);
        }
        sent.consent = Some(self.consent(&whom)).filter(|_| anywhere || self.choose(5) > 0);
        if let Some(consent) = sent.consent.as_mut().filter(|_| anywhere && self.with_files) {
            consent.fields.clear();
        }
        if sent.consent.is_none() {
            sent.legal_basis = v1::LegalBasis::VitalInterest as i32;
        }
        sent.receiver = self.society(receiver).to_string();
        sent.information_withheld.clear();
        if self.theme == Theme::Retention && self.choose(3) > 0 {
            sent.retain_until = self.until_s();
        }
        let key = self.key();
        let again = self.choose(8) == 0 && !self.matters.is_empty();
        let any = self.choose(self.matters.len().max(1));
        let word = match again {
            true => self.matters[any].word.clone(),
            false => format!("{STEM}{}x{}.", self.seed, self.written),
        };
        let content = Box::new(self.case(&word, sent.consent.as_ref()));
        let id = ReferralId::of(&origin(self.society(sender)), &key);
        let parties = [sender, receiver];
        self.matters.push(Matter { id, parties, word, first: None });
        let named = Parties::Named(parties.map(|node| self.society(node)).into());
        self.write(sender, named, Write::Send { key, sent: Box::new(sent), content });
    }

    /// So that it happens: to somebody who has it, and may pass it on to all others.
    fn send_and_pass_on(&mut self) {
        let before = self.matters.len();
        self.send(true);
        if self.matters.len() > before {
            let [sender, _] = self.matters[before].parties;
            if self.with_files {
                self.add_small_file(before, sender);
            }
            self.simulation.run(3_000);
            self.advance(before, 1, Command::Acknowledge);
            self.simulation.run(500);
            self.pass_on_one(before);
            if self.with_files && self.choose(2) == 0 {
                self.recall_from(before);
            }
        }
    }

    pub(super) fn pass_on(&mut self) {
        // Where the person has agreed to somebody else; now and then anywhere, to be refused.
        let mut chosen = self.any_matter();
        for _ in 0..6 {
            let passable = |matter: usize| {
                let [_, own] = self.matters[matter].parties;
                let shown = self.shown(own, matter)?;
                use api::ReferralState as S;
                let goes = matches!(
                    shown.state(),
                    S::Acknowledged | S::Accepted | S::InProgress | S::Completed | S::Declined
                );
                (goes && shown.consent.is_none_or(|c| c.recipients.len() > 1)).then_some(())
            };
            if chosen.and_then(passable).is_some() {
                break;
            }
            chosen = self.any_matter();
        }
        if let Some(first) = chosen {
            self.pass_on_one(first);
        }
    }

    fn pass_on_one(&mut self, first: usize) {
        let (id, [_, own]) = (self.matters[first].id, self.matters[first].parties);
        let agreed = self.shown(own, first).and_then(|shown| shown.consent);
        let agreed: Vec<usize> = (0..self.count())
            .filter(|node| {
                let code = self.society(*node).to_string();
                agreed.as_ref().is_some_and(|consent| consent.recipients.contains(&code))
            })
            .collect();
        let third = match agreed.is_empty() {
            true => self.choose(self.count()),
            false => agreed[self.choose(agreed.len())],
        };
        if third == own {
            return;
        }
        let key = self.key();
        let withhold: &[&str] = [&[][..], &["risk"]][self.choose(2)];
        let write = Write::PassOn {
            key,
            id,
            to: self.society(third),
            told: None,
            services: vec![v1::ServiceCategory::LegalAssistance as i32],
            withhold: withhold.iter().map(ToString::to_string).collect(),
        };
        let parties = [own, third];
        let word = self.matters[first].word.clone();
        let onward = ReferralId::of(&origin(self.society(own)), &key);
        self.matters.push(Matter { id: onward, parties, word, first: Some(first) });
        self.write(own, Parties::Named(parties.map(|node| self.society(node)).into()), write);
        if self.with_files {
            self.pass_files_on(self.matters.len() - 1, 2);
        }
    }

    pub(super) fn any_matter(&mut self) -> Option<usize> {
        let count = self.matters.len();
        // What is new is worked on more.
        let newest = self.choose(count.max(1)).max(self.choose(count.max(1)));
        (count > 0).then_some(newest)
    }

    /// One side of a referral, what it is shown there, and whether it is the sender.
    pub(super) fn any_side(&mut self) -> Option<(usize, usize, api::Referral)> {
        let matter = self.any_matter()?;
        // More is to be done at the receiving side.
        let side = usize::from(self.choose(3) > 0);
        Some((matter, side, self.shown(self.matters[matter].parties[side], matter)?))
    }

    /// What a node shows of a referral now, but for what is in its contents: opening them takes
    /// most of the time of a history.
    pub(super) fn shown(&self, node: usize, matter: usize) -> Option<api::Referral> {
        self.ask(node, matter, false)
    }

    /// The same, and what is in the contents.
    pub(super) fn shown_with_content(&self, node: usize, matter: usize) -> Option<api::Referral> {
        self.ask(node, matter, true)
    }

    fn ask(&self, node: usize, matter: usize, with_content: bool) -> Option<api::Referral> {
        let id = self.matters[matter].id.to_string();
        let request = api::GetReferralRequest { id, with_content, ..Default::default() };
        let node = &self.simulation.nodes[node];
        let now_ms = node.clock(self.simulation.now_ms);
        node.engine()?.referral(&Actor::node(), &request, now_ms).ok()
    }

    pub(super) fn advance(&mut self, matter: usize, side: usize, command: Command) {
        let key = self.key();
        let word = &self.matters[matter].word;
        let told = match &command {
            Command::Reopen(_, case) | Command::Correct(_, case) => case.is_some(),
            other => other.kind().ends(),
        };
        let note = if told { String::new() } else { format!("{word} note {}", self.written) };
        self.advance_with(key, matter, side, command, note);
    }

    pub(super) fn advance_without_note(&mut self, matter: usize, side: usize, command: Command) {
        let key = self.key();
        self.advance_with(key, matter, side, command, String::new());
    }

    fn advance_with(
        &mut self,
        key: [u8; 16],
        matter: usize,
        side: usize,
        command: Command,
        note: String,
    ) {
        let Matter { id, parties, .. } = self.matters[matter].clone();
        let node = parties[side];
        let parties = [node, parties[1 - side]].map(|node| self.society(node));
        let named = Parties::Named(parties.into());
        self.write(node, named, Write::Advance { key, id, command, note });
    }

    /// Somebody takes a step that seems right from there; one in eight times any step at all.
    fn step(&mut self) {
        let Some((matter, side, shown)) = self.any_side() else { return };
        let command = match self.choose(8) {
            0 => self.any_command(matter, side, &shown),
            _ => self.likely(matter, side, &shown),
        };
        if let Some(command) = command {
            self.advance(matter, side, command);
        }
    }

    /// Both sides act and neither knows of it.
    pub(super) fn race(&mut self) {
        let Some(matter) = self.any_matter() else { return };
        for side in [0, 1] {
            let node = self.matters[matter].parties[side];
            let Some(shown) = self.shown(node, matter) else { continue };
            let command = match self.choose(4) {
                0 => Some(self.stopping()),
                _ => self.likely(matter, side, &shown),
            };
            if let Some(command) = command {
                self.advance(matter, side, command);
            }
        }
    }

    pub(super) fn stop(&mut self) {
        let Some((matter, side, _)) = self.any_side() else { return };
        let command = self.stopping();
        self.advance(matter, side, command);
    }

    fn stopping(&mut self) -> Command {
        // Nothing said, the whole case, this referral.
        let extent = self.choose(3) as i32;
        match self.choose(8) {
            0..=4 => Command::WithdrawConsent(v1::ConsentWithdrawn {
                by: v1::ConsentGiver::Person as i32,
                form: v1::ConsentForm::Verbal as i32,
                extent,
                ..Default::default()
            }),
            5 | 6 => Command::RequestErasure(v1::ErasureRequested {
                ground: 1 + self.choose(5) as i32,
                extent,
                ..Default::default()
            }),
            _ => Command::EnterInError(v1::EnteredInError::default()),
        }
    }

    pub(super) fn reopen(&mut self) {
        let Some(matter) = self.any_matter() else { return };
        let [sender, receiver] = self.matters[matter].parties;
        let Some(shown) = self.shown(sender, matter) else { return };
        let state = shown.state();
        use api::ReferralState as S;
        if matches!(state, S::Closed | S::ConsentWithdrawn | S::ErasureRequested) {
            let command = self.reopening(matter, receiver);
            self.advance(matter, 0, command);
        }
    }

    fn reopening(&mut self, matter: usize, receiver: usize) -> Command {
        let mut whom = vec![receiver];
        if self.choose(2) == 0 {
            whom.extend(0..self.count());
        }
        let consent = self.consent(&whom);
        let word = self.matters[matter].word.clone();
        let case = Box::new(self.case(&word, Some(&consent)));
        let reopened = v1::Reopened {
            code: v1::ReopenCode::ConsentGivenAnew as i32,
            consent: Some(consent),
            ..Default::default()
        };
        Command::Reopen(reopened, Some(case).filter(|_| self.choose(4) > 0))
    }

    /// A step that seems right to that side.
    pub(super) fn likely(
        &mut self,
        matter: usize,
        side: usize,
        shown: &api::Referral,
    ) -> Option<Command> {
        use api::ReferralState as S;
        let receiver = side == 1;
        let any = |history: &mut Self| history.any_command(matter, side, shown);
        let dice = self.choose(10);
        Some(match shown.state() {
            S::Sent if receiver && dice < 6 => Command::Acknowledge,
            S::Sent | S::Acknowledged if receiver => match dice {
                0..=5 => Command::Accept,
                6 | 7 => Command::Decline(v1::Declined { code: 1 }),
                _ => Command::RequestInformation(v1::InformationRequested::default()),
            },
            S::Sent | S::Acknowledged if dice < 3 => Command::Withdraw(v1::Withdrawn { code: 1 }),
            S::InformationRequested if !receiver => {
                Command::ProvideInformation(v1::InformationProvided {
                    information_disclosed: vec!["reason".into()],
                })
            }
            S::Accepted if receiver && dice < 6 => Command::Start,
            S::Accepted | S::InProgress if receiver && dice < 9 => {
                Command::Deliver(v1::ServiceDelivered { result: 1, services_delivered: vec![1] })
            }
            S::OnHold if receiver => Command::Resume,
            S::Accepted | S::InProgress | S::Completed if !receiver && dice < 3 => {
                Command::ProposeHandover
            }
            S::Accepted | S::InProgress if receiver && shown.handover_open => {
                Command::AcceptHandover
            }
            S::Completed | S::Declined | S::Withdrawn | S::Cancelled if !receiver => {
                Command::Close(v1::Closed { outcome: 1, feedback: 1 })
            }
            _ => return any(self),
        })
    }

    /// Any step at all; what may not be written is refused.
    pub(super) fn any_command(
        &mut self,
        matter: usize,
        side: usize,
        shown: &api::Referral,
    ) -> Option<Command> {
        let own = self.society(self.matters[matter].parties[side]).to_string();
        let mine: Vec<v1::Seen> = shown
            .events
            .iter()
            .filter(|event| event.society == own)
            .map(|event| v1::Seen { origin: event.origin.clone(), index: event.index })
            .collect();
        let about = (!mine.is_empty()).then(|| mine[self.choose(mine.len())].clone());
        let other = self.matters[matter].parties[1 - side];
        Some(match self.choose(23) {
            0 => Command::Acknowledge,
            1 => Command::RequestInformation(v1::InformationRequested::default()),
            2 => Command::ProvideInformation(v1::InformationProvided::default()),
            3 => Command::Accept,
            4 => Command::Decline(v1::Declined { code: 2 }),
            5 => Command::Withdraw(v1::Withdrawn { code: 1 }),
            6 => Command::Expire,
            7 => Command::Start,
            8 => Command::Schedule(v1::AppointmentScheduled { at: 1_800_000_000 }),
            9 => Command::Miss(v1::AppointmentMissed { code: 1 }),
            10 => Command::Pause(v1::Paused { code: 1 }),
            11 => Command::Resume,
            12 => Command::Deliver(v1::ServiceDelivered { result: 2, services_delivered: vec![2] }),
            13 => Command::FollowUp(v1::FollowUp { result: 1 }),
            14 => Command::Close(v1::Closed { outcome: 1, feedback: 4 }),
            15 => Command::Cancel(v1::Cancelled { code: 1 }),
            16 => Command::ProposeHandover,
            17 => Command::AcceptHandover,
            18 => Command::DeclineHandover,
            19 => {
                let consent = self.consent(&(0..self.count()).collect::<Vec<_>>());
                Command::RenewConsent(v1::ConsentRenewed { consent: Some(consent) })
            }
            20 => {
                let corrected = v1::Corrected { event: about, ..Default::default() };
                let word = self.matters[matter].word.clone();
                let case = Box::new(self.case(&word, None));
                Command::Correct(corrected, Some(case).filter(|_| self.choose(2) == 0))
            }
            21 => Command::EnterInError(v1::EnteredInError { event: about, ..Default::default() }),
            _ => self.reopening(matter, other),
        })
    }
}
