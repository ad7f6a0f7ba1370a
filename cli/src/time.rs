//! Times: local with the zone for people, RFC 3339 in UTC for programs.

use jiff::{Timestamp, tz::TimeZone};

/// `2026-03-04 09:30:05 +08:00`, in the zone of whoever reads; `UTC` for that.
pub(crate) fn local(ms: u64) -> String {
    in_zone(ms, TimeZone::system(), "%Y-%m-%d %H:%M:%S")
}

/// The same to the minute, for tables.
pub(crate) fn short(ms: u64) -> String {
    in_zone(ms, TimeZone::system(), "%Y-%m-%d %H:%M")
}

/// A day, for times given in seconds.
pub(crate) fn day(seconds: u64) -> String {
    show(seconds.saturating_mul(1000), TimeZone::system(), "%Y-%m-%d")
}

/// For JSON: `2026-03-04T01:30:05.123Z`; `null` where there is none.
pub(crate) fn rfc3339(ms: u64) -> Option<String> {
    (ms != 0).then(|| show(ms, TimeZone::UTC, "%Y-%m-%dT%H:%M:%S%.3fZ"))
}

/// Now, in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// How long ago, or how long until, in the largest unit that says it.
pub(crate) fn span(from_ms: u64, to_ms: u64) -> String {
    let ms = from_ms.abs_diff(to_ms);
    match ms / 1000 {
        0 => format!("{ms} ms"),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// By the offset: a zone's letters mean another one elsewhere (PST is Manila's, and California's).
fn in_zone(ms: u64, zone: TimeZone, format: &str) -> String {
    let shown = show(ms, zone, &format!("{format} %:z"));
    // A machine's own zone may be UTC under any name.
    match shown.strip_suffix("+00:00") {
        Some(time) => format!("{time}UTC"),
        None => shown,
    }
}

fn show(ms: u64, zone: TimeZone, format: &str) -> String {
    match i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()) {
        Some(time) => time.to_zoned(zone).strftime(format).to_string(),
        // What a peer's clock said may be any number.
        None => format!("no time on any calendar ({ms} ms)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_name_their_zone() {
        let zone = TimeZone::fixed(jiff::tz::offset(8));
        let shown = |zone| in_zone(1_772_588_405_123, zone, "%Y-%m-%d %H:%M");
        assert_eq!(shown(zone), "2026-03-04 09:40 +08:00");
        for utc in [TimeZone::UTC, TimeZone::fixed(jiff::tz::offset(0))] {
            assert_eq!(shown(utc), "2026-03-04 01:40 UTC");
        }
        assert_eq!(rfc3339(1_772_588_405_123).as_deref(), Some("2026-03-04T01:40:05.123Z"));
        assert_eq!(rfc3339(0), None);
        assert!(rfc3339(u64::MAX).is_some_and(|text| text.starts_with("no time")));
    }

    #[test]
    fn spans_are_said_in_one_unit() {
        assert_eq!(span(0, 12), "12 ms");
        assert_eq!(span(0, 3_000), "3 s");
        assert_eq!(span(600_000, 0), "10 min");
        assert_eq!(span(0, 86_400_000), "24 h");
        assert_eq!(span(0, 864_000_000), "10 days");
    }
}
