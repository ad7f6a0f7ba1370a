//! Somebody who is no party to an entry and wants to know what it is: all that can be counted in
//! what a member, or a relay, holds of it, and two simple ways to tell two kinds apart by it.
//!
//! What it learns it learns from one half of the samples, and is judged by the other: to find a
//! difference in noise and to be believed for it would be no attack.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};

/// What is held of one entry: its bytes, and the sealed bodies where it is a relay.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) entry: Vec<u8>,
    pub(super) bodies: Vec<Vec<u8>>,
}

/// Numbers with their names, in the same order for everything that is seen.
pub(super) type Features = Vec<(String, f64)>;

fn mean(bytes: &[u8]) -> f64 {
    bytes.iter().map(|byte| f64::from(*byte)).sum::<f64>() / bytes.len().max(1) as f64
}

fn ones(bytes: &[u8]) -> f64 {
    f64::from(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>())
}

/// How often the ten-bit numbers of a compressed ML-KEM ciphertext are such as come four times in
/// 3,329 and not three times: a little more often than in random bytes.
fn heavy(encapsulated: &[u8]) -> f64 {
    let bits = |at: usize| {
        let (byte, shift) = (at * 10 / 8, at * 10 % 8);
        let low = encapsulated.get(byte).copied().unwrap_or(0);
        let high = encapsulated.get(byte + 1).copied().unwrap_or(0);
        (u16::from_le_bytes([low, high]) >> shift) & 0x3ff
    };
    let values = |number: u16| {
        // How many of the field's elements are compressed to this number.
        let of = |x: u32| (((x << 10) + 1_664) / 3_329) & 0x3ff;
        let near = u32::from(number) * 3_329 / 1_024;
        let around = (near.saturating_sub(3)..near + 4).map(|x| x % 3_329);
        around.filter(|x| of(*x) == u32::from(number)).count()
    };
    (0..768).filter(|at| values(bits(*at)) > 3).count() as f64
}

fn of_header(entry: &[u8], features: &mut Features) {
    use tutti_core::{body::Part, entry::Entry};
    let mut tell = |name: &str, value: f64| features.push((format!("entry {name}"), value));
    tell("bytes", entry.len() as f64);
    let parsed = Entry::parse(entry).unwrap();
    let header = parsed.header().unwrap();
    let size = |part| header.commitment(part).map_or(0.0, |body| body.size as f64);
    let (record, content) = (size(Part::Record), size(Part::Content));
    tell("record size", record);
    tell("content size", content);
    tell("sum of sizes", record + content);
    tell("difference of sizes", record - content);
    tell("tags", header.tags.len() as f64);
    tell("content is there", f64::from(u8::from(header.content.is_some())));
    for (slot, tag) in header.tags.iter().enumerate() {
        tell(&format!("tag {slot} first byte"), f64::from(tag[0]));
        tell(&format!("tag {slot} ones"), ones(tag));
    }
    let both: Vec<u8> = header.tags.iter().flatten().copied().collect();
    tell("tags mean", mean(&both));
    tell("record digest", f64::from(header.record.digest[0]));
}

/// What an age file shows without a key. `known` are public keys out of the roster.
fn of_body(part: &str, body: &[u8], known: &[Vec<u8>], features: &mut Features) {
    let mut tell = |name: &str, value: f64| features.push((format!("{part} {name}"), value));
    let end = body.windows(5).position(|bytes| bytes == b"\n--- ").unwrap_or(0);
    let header = String::from_utf8_lossy(&body[..end]).into_owned();
    let (mut arguments, mut wrapped, mut others, mut place) = (Vec::new(), Vec::new(), 0, 0);
    for (at, stanza) in header.split("\n-> ").skip(1).enumerate() {
        let (line, rest) = stanza.split_once('\n').unwrap_or((stanza, ""));
        match line.split_once(' ') {
            Some(("mlkem768x25519", argument)) => {
                arguments.push(BASE64_STANDARD_NO_PAD.decode(argument).unwrap());
                wrapped.push(BASE64_STANDARD_NO_PAD.decode(rest.trim()).unwrap());
            }
            _ => (others, place) = (others + stanza.len(), at),
        }
    }
    tell("bytes", body.len() as f64);
    tell("header bytes", end as f64);
    tell("payload bytes", (body.len() - end) as f64);
    tell("stanzas", arguments.len() as f64);
    tell("bytes of other stanzas", others as f64);
    tell("place of other stanzas", place as f64);
    let least = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut of_each = |name: &str, value: &dyn Fn(usize) -> f64| {
        let values: Vec<f64> = (0..arguments.len()).map(value).collect();
        tell(&format!("{name}, least"), least(&values));
        tell(&format!("{name}, most"), most(&values));
        tell(&format!("{name}, sum"), values.iter().sum());
        tell(&format!("{name}, first"), values.first().copied().unwrap_or(0.0));
        tell(&format!("{name}, last"), values.last().copied().unwrap_or(0.0));
    };
    of_each("argument's bytes", &|n| arguments[n].len() as f64);
    of_each("wrapped bytes", &|n| wrapped[n].len() as f64);
    of_each("argument's mean", &|n| mean(&arguments[n]));
    of_each("argument's first byte", &|n| f64::from(arguments[n][0]));
    of_each("heavy numbers", &|n| heavy(&arguments[n]));
    of_each("point's high bit", &|n| f64::from(arguments[n].last().unwrap() >> 7));
    of_each("point's ones", &|n| ones(&arguments[n][arguments[n].len().saturating_sub(32)..]));
    of_each("wrapped first byte", &|n| f64::from(wrapped[n][0]));
    of_each("wrapped ones", &|n| ones(&wrapped[n]));
    for (which, key) in known.iter().enumerate() {
        let like = |n: usize| {
            let (ours, theirs) = (arguments[n].iter().rev(), key.iter().rev());
            ours.zip(theirs).map(|(one, other)| f64::from((one ^ other).count_ones())).sum()
        };
        of_each(&format!("likeness to key {which}"), &like);
    }
    tell("nonce", f64::from(body.get(end + 48).copied().unwrap_or(0)));
    tell("last byte", f64::from(body.last().copied().unwrap_or(0)));
}

/// All that can be counted in what is seen.
pub(super) fn features(seen: &Seen, known: &[Vec<u8>]) -> Features {
    let mut features = Vec::new();
    of_header(&seen.entry, &mut features);
    for (part, body) in ["record", "content"].into_iter().zip(&seen.bodies) {
        of_body(part, body, known, &mut features);
    }
    features
}

/// How well an attack does, and by what.
#[derive(Debug)]
pub(super) struct Attack {
    #[expect(dead_code, reason = "shown where an attack wins")]
    pub(super) by: String,
    pub(super) right: f64,
    pub(super) judged: usize,
}

impl Attack {
    /// Above this it is no chance any more: five standard deviations of guessing, once in three
    /// million. All attacks of a run together pass it by chance once in a hundred thousand runs.
    pub(super) fn bound(&self) -> f64 {
        0.5 + 5.0 * 0.5 / (self.judged as f64).sqrt()
    }

    pub(super) fn wins(&self) -> bool {
        self.right > self.bound()
    }
}

type Sample = (Features, bool);

/// Splits in halves by turns and attacks in each way.
pub(super) fn attack(one: &[Features], other: &[Features]) -> Vec<Attack> {
    let all = one.iter().map(|f| (f.clone(), false)).chain(other.iter().map(|f| (f.clone(), true)));
    let (mut learnt, mut judged): (Vec<Sample>, Vec<Sample>) = (Vec::new(), Vec::new());
    for (at, sample) in all.enumerate() {
        if at % 2 == 0 { learnt.push(sample) } else { judged.push(sample) }
    }
    vec![by_threshold(&learnt, &judged), by_centre(&learnt, &judged)]
}

fn right(judged: &[Sample], says: impl Fn(&Features) -> bool) -> f64 {
    let right = judged.iter().filter(|(features, truth)| says(features) == *truth).count();
    right as f64 / judged.len() as f64
}

/// The one number and the one threshold that tell the two apart best.
fn by_threshold(learnt: &[Sample], judged: &[Sample]) -> Attack {
    let (mut best, mut found) = (0.0, (0, 0.0, true));
    for number in 0..learnt[0].0.len() {
        let mut values: Vec<(f64, bool)> =
            learnt.iter().map(|(features, truth)| (features[number].1, *truth)).collect();
        values.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (mut below, all) = (0.0, values.iter().filter(|value| value.1).count() as f64);
        for (at, (value, truth)) in values.iter().enumerate() {
            below += f64::from(u8::from(*truth));
            if values.get(at + 1).is_some_and(|next| next.0 == *value) {
                continue;
            }
            // Those above are of the second kind, or those below.
            let above = (at as f64 + 1.0 - below + all - below) / values.len() as f64;
            for (rate, upwards) in [(above, true), (1.0 - above, false)] {
                if rate > best {
                    (best, found) = (rate, (number, *value, upwards));
                }
            }
        }
    }
    let (number, threshold, upwards) = found;
    let rate = right(judged, |features| (features[number].1 > threshold) == upwards);
    Attack { by: learnt[0].0[number].0.clone(), right: rate, judged: judged.len() }
}

/// Whose middle is nearer, all numbers taken together.
fn by_centre(learnt: &[Sample], judged: &[Sample]) -> Attack {
    let numbers = learnt[0].0.len();
    let middle = |of: Option<bool>, number: usize| {
        let of = learnt.iter().filter(|(_, truth)| of.is_none_or(|of| of == *truth));
        let values: Vec<f64> = of.map(|(features, _)| features[number].1).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let parts: Vec<(f64, f64, f64)> = (0..numbers)
        .map(|number| {
            let all = middle(None, number);
            let spread = learnt.iter().map(|(f, _)| (f[number].1 - all).powi(2)).sum::<f64>();
            let spread = (spread / learnt.len() as f64).max(1e-9);
            (middle(Some(false), number), middle(Some(true), number), spread)
        })
        .collect();
    let rate = right(judged, |features| {
        let distances = features.iter().zip(&parts).map(|((_, value), (one, other, spread))| {
            ((value - one).powi(2) - (value - other).powi(2)) / spread
        });
        distances.sum::<f64>() > 0.0
    });
    Attack { by: "the nearer middle".into(), right: rate, judged: judged.len() }
}
