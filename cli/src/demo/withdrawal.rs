//! The second act: the person no longer agrees, and everybody can see what that does.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use tutti_core::entry::Entry;
use tutti_proto::node::v1::{
    BodyState, EntriesRequest, GetReferralRequest, ListReferralsRequest, Referral, ReferralState,
};

use super::{
    account::{Account, SOCIETIES},
    canary,
    nodes::{LOOK, Nodes, PATIENCE},
};
use crate::{failure::Failure, node, pages, referral::short};

/// How many bytes of a sealed content are looked for, from its end; each begins alike.
const PIECE: usize = 64;

/// Tells it of the referral `id`.
pub(super) async fn tell(account: &Account, nodes: &Nodes, id: &str) -> Result<(), Failure> {
    account.step("The person no longer agrees: both sides stop, and her case is erased");
    let pieces = pieces(account, nodes, id).await?;
    let held = |society: &str| {
        let mut found = 0;
        for piece in &pieces {
            found += usize::from(canary::is_in(&account.node(society), piece)?);
        }
        Ok::<usize, Failure>(found)
    };
    let before = [held("sg")?, held("ph")?, held("qa")?];
    account.check(
        !pieces.is_empty() && before == [pieces.len(), pieces.len(), 0],
        &format!(
            "On the disks of Singapore and the Philippines lie the {} sealed bodies of her case; \
             on Qatar's none, and there never was one.",
            pieces.len()
        ),
    )?;
    let [sg, ph] = ["sg", "ph"].map(|society| account.node(society).display().to_string());
    let withdraw = [
        "referral",
        "withdraw-consent",
        short(id),
        "--by",
        "person",
        "--form",
        "verbal",
        "--dir",
        &sg,
    ];
    let begun = Instant::now();
    account.command(&withdraw, 1)?;
    confirmed(account, nodes, id).await?;
    account.checked(&format!(
        "Both have stopped, both have erased, and each has the other's signed receipt, {} ms after \
         the command was typed.",
        begun.elapsed().as_millis()
    ));
    account.command(&["referral", "show", short(id), "--dir", &ph], 2)?;
    let on = ["referral", "correct", short(id), "--entry", "0", "--note", "later", "--dir", &sg];
    let refused = account.run(&on)?;
    let why = String::from_utf8_lossy(&refused.stderr).contains("consent_withdrawn");
    account.check(
        !refused.status.success() && why,
        "Nothing goes on: what either could still write a moment ago is refused, and it is said why.",
    )?;
    let listed = pages::referrals(nodes.of("qa")?, ListReferralsRequest::default()).await?;
    account.check(listed.is_empty(), "Qatar holds the same logs, and knows of nothing.")?;
    // A body is erased in place before its receipt is written, so nothing is waited for here.
    let after = [held("sg")?, held("ph")?, held("qa")?];
    account.check(
        after == [0, 0, 0],
        "Every file of all three nodes was searched again: no byte of her sealed case is left.",
    )
}

/// Waits until both societies show that both have confirmed, and no content.
async fn confirmed(account: &Account, nodes: &Nodes, id: &str) -> Result<(), Failure> {
    let what = "both societies have stopped, erased and confirmed";
    let begun = Instant::now();
    loop {
        let mut done = true;
        let mut seen = String::new();
        for society in ["sg", "ph"] {
            let request = GetReferralRequest {
                id: id.into(),
                with_content: true,
                ..GetReferralRequest::default()
            };
            let referral = node::ask(nodes.of(society)?.referrals().get(request)).await?;
            done &= is_gone(&referral);
            seen += &format!("{society}: {:?}\n", referral.erasure);
        }
        if done {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(account.failed(what, &seen));
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn is_gone(referral: &Referral) -> bool {
    let confirmed = referral.erasure.as_ref().is_some_and(|erasure| {
        erasure.entries > 0 && erasure.confirmations.iter().all(|side| side.confirmed)
    });
    confirmed
        && referral.state() == ReferralState::ConsentWithdrawn
        && referral.content_state() == BodyState::Erased
        && referral.content.is_none()
        && referral.consent.is_none()
        && referral.events.iter().all(|event| event.note.is_empty())
}

/// The end of every sealed content of the referral that says something, as the exports of Singapore's
/// and the Philippines' logs have it. Beside each other step lies one that says nothing.
async fn pieces(account: &Account, nodes: &Nodes, id: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let request = GetReferralRequest { id: id.into(), ..GetReferralRequest::default() };
    let referral = node::ask(nodes.of("sg")?.referrals().get(request)).await?;
    let told: BTreeSet<(String, u64)> = referral
        .events
        .iter()
        .filter(|event| event.content_state() == BodyState::Present)
        .map(|event| (event.origin.clone(), event.index))
        .collect();
    let mut pieces = Vec::new();
    for (society, ..) in SOCIETIES.iter().filter(|(society, ..)| *society != "qa") {
        let out: PathBuf = account.dir().join("export").join(format!("{society}-before"));
        let dir = account.node(society).display().to_string();
        account.quiet(&["log", "export", "--dir", &dir, "--out", &out.display().to_string()])?;
        let request = EntriesRequest::default();
        let mut entries = node::ask(nodes.of(society)?.log().entries(request)).await?;
        while let Some(entry) = entries.message().await? {
            let parsed = Entry::parse(&entry.entry).ok();
            let Some(header) = parsed.as_ref().and_then(Entry::header) else { continue };
            let Some(content) = header.content else { continue };
            if told.contains(&(header.origin.to_string(), header.index)) {
                let file = out.join("bodies").join(hex::encode(content.digest));
                pieces.push(end(&file)?);
            }
        }
    }
    Ok(pieces)
}

fn end(file: &Path) -> Result<Vec<u8>, Failure> {
    let body = fs::read(file).map_err(|error| Failure::io(file, &error))?;
    Ok(body.get(body.len().saturating_sub(PIECE)..).unwrap_or_default().to_vec())
}
