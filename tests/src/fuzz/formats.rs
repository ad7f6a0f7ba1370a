//! The targets that read one piece of bytes.

#![allow(clippy::unwrap_used)]

use prost::Message as _;
use tutti_core::{
    audit::{Options, audit},
    body::{Part, Place},
    entry::{Entry, EntryBytes, Header, Visibility},
    evidence::Evidence,
    head::{Head, SignedHead},
    information,
    keys::{NoteKey, NoteSecret},
    proof::Proof,
    record as body,
    referral::{self, EventRef},
    roster::{Card, Desk, Draft, Roster},
    sealing,
    store::Reader as _,
    tiles,
};
use tutti_proto::v1;

use super::federation::{federation, record as message};

/// An entry's header, at any place and at its own; and a bundle of them.
pub(super) fn entry(data: &[u8]) {
    let bytes = EntryBytes::new(data);
    let _ = bytes.leaf_hash();
    if let Ok(Entry::V1(header)) = Entry::parse(data) {
        assert_eq!(header.encode(), bytes, "what is accepted has one encoding");
        let at = Entry::parse_at(data, &header.origin, header.index);
        assert!(at.is_ok());
        let elsewhere = Entry::parse_at(data, &header.origin, header.index.wrapping_add(1));
        assert!(elsewhere.is_err(), "an entry stands in its own place alone");
    }
    if let Some((width, rest)) = data.split_first()
        && let Ok(entries) = tiles::parse_bundle(rest, u16::from(*width))
    {
        assert_eq!(tiles::bundle(&entries), rest);
    }
    let _ = tiles::tile_hashes(data, (data.len() / 32) as u16);
}

pub(super) fn entry_seeds() -> Vec<Vec<u8>> {
    let entries = &federation().entries;
    let mut seeds: Vec<Vec<u8>> = entries.iter().take(4).map(|e| e.as_slice().to_vec()).collect();
    seeds.push([&[3], tiles::bundle(entries.iter().take(3)).as_slice()].concat());
    seeds
}

/// A signed head, and the evidence of a fork.
pub(super) fn head(data: &[u8]) {
    let federation = federation();
    let _ = Head::claimed(data);
    if let Ok(head) = SignedHead::open(data, &federation.roster) {
        let again = SignedHead::open(&head.to_bytes(), &federation.roster).unwrap();
        assert_eq!(again, head);
        // Nobody but the fixture holds the key.
        assert_eq!((head.size(), head.root()), (federation.head.size(), federation.head.root()));
    }
    let evidence = Evidence::from_bytes(data, &federation.roster);
    assert!(evidence.is_err(), "nobody has forked");
}

pub(super) fn head_seeds() -> Vec<Vec<u8>> {
    let head = &federation().head;
    let message = v1::Evidence {
        first: head.to_bytes(),
        second: head.to_bytes(),
        root: vec![1; 32],
        consistency: vec![vec![2; 32]],
    };
    vec![head.to_bytes(), head.to_bytes_bare(), message.encode_to_vec()]
}

/// What else is a signed note or a line of one: keys, cards.
pub(super) fn note(data: &[u8]) {
    if let Ok(card) = Card::open(data) {
        let _ = card.fingerprint();
        assert_eq!(card.member, federation().ph.member, "nobody else has signed a card");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(key) = text.parse::<NoteKey>() {
            assert_eq!(key.to_string().parse::<NoteKey>().unwrap(), key);
        }
        if let Ok(secret) = text.parse::<NoteSecret>() {
            assert_eq!(*secret.to_secret_string(), text);
        }
        let _ = text.parse::<sealing::Recipient>();
        let _ = text.parse::<sealing::Identity>();
        let _ = text.parse::<sealing::RoutingKey>();
        let _ = text.parse::<tutti_core::society::Origin>();
    }
}

pub(super) fn note_seeds() -> Vec<Vec<u8>> {
    let ph = &federation().ph;
    vec![
        ph.card(),
        ph.log.public().to_string().into_bytes(),
        ph.log.to_secret_string().as_bytes().to_vec(),
        ph.witness.public().to_string().into_bytes(),
        ph.member.case_key.to_string().into_bytes(),
        ph.member.routing_key.to_string().into_bytes(),
        ph.origin().to_string().into_bytes(),
    ]
}

/// A roster as the first, as the next, and as a draft.
pub(super) fn roster(data: &[u8]) {
    let known = &federation().roster;
    if let Ok(roster) = Roster::open_first(data) {
        assert_eq!(roster.hash(), known.hash(), "the founders have signed one roster");
    }
    assert!(Roster::open_next(known, data).is_err(), "there is no second roster");
    if let Ok(draft) = Draft::open(data) {
        let again = Draft::open(&draft.to_bytes()).unwrap();
        assert_eq!(again.document(), draft.document());
        let _ = (draft.fingerprint(), draft.missing());
        let desks = draft.document().members.iter().filter_map(|member| member.desk.as_ref());
        for desk in desks {
            assert!(desk.check().is_ok() && !desk.to_string().contains(char::is_control));
        }
    }
}

pub(super) fn roster_seeds() -> Vec<Vec<u8>> {
    let known = &federation().roster;
    let next = Draft::succeed(known, |document| document.expires_on = "2029-12-31".into());
    let unsigned = Draft::succeed(known, |_| ()).unwrap();
    let desk = Desk {
        name: "Migration desk".into(),
        telephone: "+63 2 8790 2300".into(),
        languages: "English, العربية".into(),
        ..Desk::default()
    };
    let reached = Draft::succeed(known, |document| document.members[0].desk = Some(desk));
    vec![
        known.as_bytes().to_vec(),
        next.unwrap().to_bytes(),
        unsigned.to_bytes(),
        reached.unwrap().to_bytes(),
    ]
}

/// A frame between nodes.
pub(super) fn frame(data: &[u8]) {
    if let Ok(frame) = v1::Frame::decode(data) {
        let again = v1::Frame::decode(frame.encode_to_vec().as_slice());
        assert_eq!(again.unwrap(), frame);
    }
}

fn header(visibility: Visibility, body: &[u8]) -> Header {
    Header {
        origin: federation().ph.origin(),
        index: 4,
        recorded_at_ms: 1,
        visibility,
        record: Place::new(&federation().ph.origin(), 4, Part::Record).commit(body),
        content: (visibility == Visibility::Addressed)
            .then(|| Place::new(&federation().ph.origin(), 4, Part::Content).commit(body)),
        tags: vec![[1; 16]; if visibility == Visibility::Addressed { 2 } else { 0 }],
    }
}

/// What a record says, told to the books; several in a row, each after a length of two bytes.
pub(super) fn record(data: &[u8]) {
    let (mut referrals, mut shares) = (referral::Book::default(), information::Book::default());
    let (mut rest, mut index) = (data, 0);
    while let Some((len, after)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_le_bytes(*len)).min(after.len());
        let (message, after) = after.split_at(len);
        (rest, index) = (after, index + 1);
        if index > 64 {
            break;
        }
        let salted = [[0; 32].as_slice(), message].concat();
        let mut header = header(Visibility::Federation, &salted);
        header.index = index;
        let _ = body::open_content(&header, &[5; 16], &salted, &[]);
        // One that is addressed is opened elsewhere; what it says counts here.
        let record = match body::open(&header, &salted, &[]) {
            Ok(record) => record,
            Err(_) => match v1::Record::decode(message) {
                Ok(record) => record,
                Err(_) => continue,
            },
        };
        let _ = body::addressees(&record);
        // Both sides write.
        let origin =
            if index % 2 == 0 { federation().sg.origin() } else { federation().ph.origin() };
        let at = EventRef { origin, index };
        if let Some(event) = referral::Event::from_record(at.clone(), 1, true, &record)
            && let Some(id) = referrals.apply(event.clone())
        {
            let outcomes = referrals.outcomes(&id).to_vec();
            referrals.apply(event);
            assert_eq!(referrals.outcomes(&id), outcomes, "told twice is told once");
            for why in outcomes.iter().filter_map(|outcome| outcome.why.as_ref()) {
                let _ = why.to_string();
            }
        }
        // Shares of all kinds, in clear and sealed.
        let visibility = [Visibility::Federation, Visibility::Addressed][index as usize / 2 % 2];
        let sealed = visibility == Visibility::Addressed;
        if let Some(event) = information::Event::from_record(at, 1, visibility, sealed, &record)
            && let Some(id) = shares.apply(event.clone())
        {
            let outcomes = shares.outcomes(&id).to_vec();
            shares.apply(event);
            assert_eq!(shares.outcomes(&id), outcomes, "told twice is told once");
            if let Some(share) = shares.get(&id) {
                let _ = (share.responses().len(), share.translations().len());
            }
        }
    }
    let _ = (referrals.counts(), shares.iter().count());
}

pub(super) fn record_seeds() -> Vec<Vec<u8>> {
    let origin = federation().ph.origin();
    let framed = |index| {
        let message = message(&origin, index).encode_to_vec();
        [&(message.len() as u16).to_le_bytes(), message.as_slice()].concat()
    };
    let mut seeds: Vec<Vec<u8>> = (0..4).map(framed).collect();
    seeds.push((0..8).flat_map(framed).collect());
    seeds
}

/// A sealed body: the age file and its padding.
pub(super) fn sealed(data: &[u8]) {
    let federation = federation();
    let _ = sealing::open(data, &[&federation.audit]);
    let header = header(Visibility::Addressed, data);
    let _ = body::open(&header, data, &[&federation.audit]);
}

pub(super) fn sealed_seeds() -> Vec<Vec<u8>> {
    federation().records.iter().take(2).map(|body| body.bytes().to_vec()).collect()
}

/// An export in which files were replaced: for each a byte that says which, a length of two bytes
/// and what of it is written over the file, from an offset of two bytes on.
pub(super) fn export(data: &[u8]) {
    let federation = federation();
    let mut files = federation.export.clone();
    let paths: Vec<String> = files.keys().cloned().collect();
    let mut rest = data;
    while let Some(([which, from_low, from_high, len], after)) = rest.split_first_chunk::<4>() {
        let (patch, after) = after.split_at(usize::from(*len).min(after.len()));
        rest = after;
        let from = usize::from(u16::from_le_bytes([*from_low, *from_high]));
        let path = &paths[usize::from(*which) % paths.len()];
        match which {
            // A file that does not belong there, by its name.
            250.. => {
                let name = String::from_utf8_lossy(patch).into_owned();
                files.insert(name, patch.to_vec());
            }
            200.. => {
                files.remove(path);
            }
            _ => {
                let file = files.entry(path.clone()).or_default();
                let from = from % (file.len() + 1);
                // Over what is there; with an odd offset the file ends behind it.
                file.resize(file.len().max(from + patch.len()), 0);
                file[from..from + patch.len()].copy_from_slice(patch);
                if from % 2 == 1 {
                    file.truncate(from + patch.len());
                }
            }
        }
    }
    let options = Options { audit_keys: &[&federation.audit], ..Options::default() };
    if let Ok(report) = audit(&files, options, &mut |_, _| ())
        && report.is_clean()
    {
        assert_eq!(report.size, federation.head.size(), "what is clean is what was signed");
    }
}

pub(super) fn export_seeds() -> Vec<Vec<u8>> {
    let federation = federation();
    let mut seeds = vec![Vec::new()];
    for (which, bytes) in federation.export.values().enumerate().take(40) {
        let patch = &bytes[..bytes.len().min(200)];
        seeds.push([&[which as u8, 0, 0, patch.len() as u8], patch].concat());
        seeds.push(vec![200 + (which % 50) as u8, 0, 0, 0]);
    }
    seeds
}

/// A proof file.
pub(super) fn proof(data: &[u8]) {
    let federation = federation();
    if let Ok(proof) = Proof::parse(data) {
        assert_eq!(proof.to_bytes(), data, "a proof has one form");
        if let Ok((entry, head)) = proof.verify(&federation.roster, None) {
            assert_eq!(head.root(), federation.head.root());
            assert!(federation.entries.contains(&entry), "what is proven was signed");
        }
    }
}

pub(super) fn proof_seeds() -> Vec<Vec<u8>> {
    let federation = federation();
    let origin = federation.ph.origin();
    let size = federation.head.size();
    let proof = |index: u64| {
        let entry = federation.entries[index as usize].clone();
        let inclusion = federation.store.inclusion(&origin, index, size).unwrap();
        Proof::new(index, entry, inclusion, &federation.head).to_bytes()
    };
    vec![proof(0), proof(7), proof(size - 1)]
}
