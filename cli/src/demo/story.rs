//! The Last Mile case, step by step: who does what, and who sees what.

use std::{fs, path::Path};

use jiff::{Span, Zoned};
use tutti_core::entry::Entry;
use tutti_proto::node::v1::{
    BodyState, EntriesRequest, GetReferralRequest, ListInformationRequest, ListReferralsRequest,
    Referral, ReferralState,
};

use super::{
    account::{Account, SOCIETIES},
    nodes::{LOOK, Nodes, PATIENCE},
    seen::Seen,
};
use crate::{failure::Failure, node, pages, referral::short};

/// The form, which the caseworker in Singapore fills in.
pub(super) const CASE: &str = include_str!("last-mile.toml");

/// What Singapore answers: it names the person, so it comes from a file.
pub(super) const ANSWER: &str =
    "Ligaya has a daughter of nine, Analyn Dimasupil, who lives with the sister in Iloilo.";

const QUESTION: &str = "Does anybody depend on her at home? We plan the way from the airport.";

/// Tells it; gives back the referral's id.
pub(super) async fn tell(account: &Account, nodes: &Nodes) -> Result<String, Failure> {
    account.step("Singapore refers an injured worker to the Philippines");
    account.tell(
        "A domestic worker fell at work and wants to go home, lying down, with a nurse. She has \
         agreed in writing that the Philippine Red Cross may know. The form is DIR/last-mile.toml.",
    );
    let id = send(account, nodes).await?;
    let story = Story { account, nodes, id };
    story.who_sees_what().await?;

    account.step("The Philippines acknowledges, and asks; Singapore answers");
    story.take("ph", &["acknowledge"], ReferralState::Acknowledged)?;
    let ask = ["request-information", "--field", "person.dependants", "--note", QUESTION];
    story.take("ph", &ask, ReferralState::InformationRequested)?;
    let answer = write(account, "answer.txt", ANSWER)?;
    let tell = ["provide-information", "--field", "person.dependants", "--note-file", &answer];
    story.take("sg", &tell, ReferralState::Acknowledged)?;
    let noted = story.get("ph", true).await?;
    let heard = noted.events.iter().any(|event| event.note == ANSWER);
    account.check(heard, "The Philippines reads Singapore's answer.")?;

    account.step("The Philippines accepts and brings her home; Singapore closes");
    story.take("ph", &["accept"], ReferralState::Accepted)?;
    let done = ["deliver", "--result", "fully", "--service", "medical_escort_repatriation"];
    story.take("ph", &done, ReferralState::Completed)?;
    let close = ["close", "--outcome", "need_met", "--feedback", "satisfied"];
    story.take("sg", &close, ReferralState::Closed)?;
    for society in ["sg", "ph"] {
        let events = story.get(society, false).await?.events;
        let told: Vec<&str> = events.iter().map(|event| event.transition.as_str()).collect();
        let whole = [
            "sent",
            "acknowledged",
            "information_requested",
            "information_provided",
            "accepted",
            "service_delivered",
            "closed",
        ];
        let what = format!("{} tells the whole story in the same order.", name(society));
        if told != whole || events.iter().any(|event| !event.effective) {
            return Err(account.failed(&what, &told.join(", ")));
        }
        account.checked(&what);
    }
    story
        .qatar_knows_nothing("Qatar holds both logs of the case, and still cannot read a word.")
        .await?;
    Ok(story.id)
}

async fn send(account: &Account, nodes: &Nodes) -> Result<String, Failure> {
    let explained = Zoned::now().date().saturating_sub(Span::new().days(2)).to_string();
    let form = write(account, "last-mile.toml", &CASE.replace("EXPLAINED-ON", &explained))?;
    let seen = Seen::look(&account.node("ph"), None, ReferralState::Sent);
    let sg = account.node("sg").display().to_string();
    account.command(&["referral", "send", "--dir", &sg, "--to", "ph", "--file", &form], 2)?;
    let sent = pages::referrals(nodes.of("sg")?, ListReferralsRequest::default()).await?;
    let [sent] = sent.as_slice() else {
        return Err(
            account.failed("Singapore has one referral", &format!("{} of them", sent.len()))
        );
    };
    let ms = seen
        .after(sent.sent_at_ms)
        .map_err(|error| account.failed("the Philippines sees the referral", &error.to_string()))?;
    account.checked(&format!(
        "The Philippines sees it {ms} ms after it was safe on Singapore's disk."
    ));
    Ok(sent.id.clone())
}

struct Story<'a> {
    account: &'a Account,
    nodes: &'a Nodes,
    id: String,
}

impl Story<'_> {
    async fn get(&self, society: &str, with_content: bool) -> Result<Referral, Failure> {
        let request = GetReferralRequest {
            id: self.id.clone(),
            with_content,
            ..GetReferralRequest::default()
        };
        node::ask(self.nodes.of(society)?.referrals().get(request)).await
    }

    /// One step of the referral by `society`; the other side must see it.
    fn take(&self, society: &str, words: &[&str], state: ReferralState) -> Result<(), Failure> {
        let other = if society == "ph" { "sg" } else { "ph" };
        let dir = self.account.node(society).display().to_string();
        let (verb, rest) = words.split_first().unwrap_or((&"show", &[]));
        let mut command = vec!["referral", verb, short(&self.id), "--dir", &dir];
        command.extend(rest);
        let seen = Seen::look(&self.account.node(other), Some(&self.id), state);
        let before = crate::time::now_ms();
        self.account.command(&command, 1)?;
        let state = crate::names::referral_state(state).replace('_', " ");
        let what = format!("{} sees that it is {state}", name(other));
        let ms =
            seen.after(before).map_err(|error| self.account.failed(&what, &error.to_string()))?;
        self.account.checked(&format!("{what}, {ms} ms after the command was typed."));
        Ok(())
    }

    async fn who_sees_what(&self) -> Result<(), Failure> {
        for society in ["sg", "ph"] {
            let referral = self.until_content(society).await?;
            let named = referral
                .content
                .and_then(|content| content.person)
                .is_some_and(|person| CASE.contains(&format!("name = \"{}\"", person.name)));
            let what = format!("{} opens the case and reads it whole.", name(society));
            self.account.check(named, &what)?;
        }
        self.qatar_knows_nothing(
            "Qatar has the entry, and sees neither that it is a referral, nor between whom.",
        )
        .await
    }

    /// The bodies may come a moment after the entry.
    async fn until_content(&self, society: &str) -> Result<Referral, Failure> {
        let begun = std::time::Instant::now();
        loop {
            let referral = self.get(society, true).await?;
            if referral.content.is_some() || begun.elapsed() > PATIENCE {
                return Ok(referral);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn qatar_knows_nothing(&self, what: &str) -> Result<(), Failure> {
        let qa = self.nodes.of("qa")?;
        let listed = pages::referrals(qa, ListReferralsRequest::default()).await?;
        if !listed.is_empty() || self.get("qa", true).await.is_ok() {
            return Err(self.account.failed(what, "Qatar's node lists the referral"));
        }
        let begun = std::time::Instant::now();
        for society in ["sg", "ph"] {
            let own = self.nodes.logs(society).await?;
            let of_society = |log: &&tutti_proto::node::v1::LogStatus| log.society == society;
            let size = own.iter().find(of_society).map_or(0, |log| log.size);
            loop {
                let held = self.nodes.logs("qa").await?;
                let held = held.iter().find(of_society).map_or(0, |log| log.size);
                if held >= size {
                    break;
                }
                if begun.elapsed() > PATIENCE {
                    let seen = format!("it holds {held} of {size} entries of {society}");
                    return Err(self.account.failed(what, &seen));
                }
                tokio::time::sleep(LOOK).await;
            }
            for origin in own.iter().filter(of_society).map(|log| &log.origin) {
                self.carried_unread(origin, what).await?;
            }
        }
        self.account.checked(what);
        Ok(())
    }

    /// Every entry of `origin` at Qatar: no body, and no word of a referral.
    async fn carried_unread(&self, origin: &str, what: &str) -> Result<(), Failure> {
        let request = EntriesRequest { origin: origin.into(), start: 0, count: 0 };
        let mut entries = node::ask(self.nodes.of("qa")?.log().entries(request)).await?;
        while let Some(entry) = entries.message().await? {
            let known = Entry::parse(&entry.entry).is_ok();
            let held = [entry.record_state(), entry.content_state()].contains(&BodyState::Present);
            let told = entry.summary.contains("referral") || entry.summary.contains(&self.id);
            if !known || held || told {
                let seen = format!("entry {} of {origin}: {:?}", entry.index, entry.summary);
                return Err(self.account.failed(what, &seen));
            }
        }
        Ok(())
    }
}

/// Qatar tells the others of a change in the law; gives back the share's id.
pub(super) async fn publish(account: &Account, nodes: &Nodes) -> Result<String, Failure> {
    account.step("Qatar tells all societies of a change in the law");
    let form = write(account, "law.toml", include_str!("law.toml"))?;
    let qa = account.node("qa").display().to_string();
    let before = crate::time::now_ms();
    account.command(&["information", "publish", "--dir", &qa, "--file", &form], 1)?;
    let mut id = String::new();
    for society in ["ph", "sg"] {
        let what = format!("{} reads it", name(society));
        let begun = std::time::Instant::now();
        loop {
            let request = ListInformationRequest::default();
            let client = nodes.of(society)?;
            let found = node::ask(client.information().list(request)).await?.shares;
            if let [share] = found.as_slice()
                && share.version.as_ref().is_some_and(|version| version.texts.len() == 2)
            {
                id.clone_from(&share.id);
                break;
            }
            if begun.elapsed() > PATIENCE {
                return Err(account.failed(&what, &format!("{} shares there", found.len())));
            }
            tokio::time::sleep(LOOK).await;
        }
        let ms = crate::time::now_ms().saturating_sub(before);
        account.checked(&format!("{what}, {ms} ms after the command was typed."));
    }
    Ok(id)
}

/// Where a society is.
fn name(society: &str) -> &'static str {
    SOCIETIES.iter().find(|(code, ..)| *code == society).map_or("?", |(.., place)| place)
}

fn write(account: &Account, file: &str, text: &str) -> Result<String, Failure> {
    let path = account.dir().join(file);
    fs::write(&path, text).map_err(|error| Failure::io(&path, &error))?;
    Ok(Path::new(&path).display().to_string())
}
