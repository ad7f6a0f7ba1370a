//! Numbers: medians and spreads of two things that took turns, as rows of one table.
//!
//! Ours and the physical limit are measured in the same run, one after the other and again, so that
//! whatever else the machine does meets both. A row is the ratio of the two medians.

use std::time::{Duration, Instant};

/// What was measured of one thing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// Seconds of `call`.
    pub(crate) fn time<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = call();
        self.took(start.elapsed());
        done
    }

    /// Each of them, so many times.
    pub(crate) fn times(&self, many: f64) -> Self {
        Self(self.0.iter().map(|value| value * many).collect())
    }

    pub(crate) fn took(&mut self, time: Duration) {
        self.add(time.as_secs_f64());
    }

    /// The value below which `part` of all lie; 0 of nothing.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let mut all = self.0.clone();
        all.sort_by(f64::total_cmp);
        let last = all.len().saturating_sub(1);
        all.get((last as f64 * part).round() as usize).copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// How a number is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    Seconds,
    Bytes,
    /// Of something a second, of which one sample had so many.
    Rate(&'static str, f64),
    None,
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Self::Seconds if value < 0.01 => format!("{:.0} µs", value * 1e6),
            Self::Seconds if value < 1.0 => format!("{:.0} ms", value * 1e3),
            Self::Seconds => format!("{value:.2} s"),
            Self::Bytes if value < 1e6 => format!("{value:.0} bytes"),
            Self::Bytes => format!("{:.1} MiB", value / f64::from(1 << 20)),
            Self::Rate(what, many) => format!("{} {what}/s", thousands(many / value)),
            Self::None => format!("{value:.2}"),
        }
    }

    /// The median, and where the middle four fifths lie.
    fn tell(self, samples: &Samples) -> String {
        let median = self.write(samples.median());
        if samples.0.len() < 3 {
            return median;
        }
        let (low, high) = (samples.quantile(0.1), samples.quantile(0.9));
        format!("{median} ({} to {})", self.write(low), self.write(high))
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// What a row is to reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// Told for what it tells.
    None,
}

/// One line of the table.
pub(crate) struct Row {
    what: String,
    ours: String,
    limit: String,
    value: String,
    target: String,
    met: &'static str,
}

impl Row {
    /// Ours against the limit, both in the time that the same work took. The ratio is of speeds:
    /// 1 is as fast as the limit.
    pub(crate) fn speed(
        what: impl Into<String>,
        unit: Unit,
        ours: &Samples,
        limit: (&str, &Samples),
        target: Target,
    ) -> Self {
        let ratio = limit.1.median() / ours.median();
        let limit = format!("{}: {}", limit.0, unit.tell(limit.1));
        Self::new(what, unit.tell(ours), limit, ratio, Unit::None, target)
    }

    /// The same with the ratio of times: 1 takes as long as the limit.
    pub(crate) fn cost(
        what: impl Into<String>,
        unit: Unit,
        ours: &Samples,
        limit: (&str, &Samples),
        target: Target,
    ) -> Self {
        let ratio = ours.median() / limit.1.median();
        let limit = format!("{}: {}", limit.0, unit.tell(limit.1));
        Self::new(what, unit.tell(ours), limit, ratio, Unit::None, target)
    }

    /// A number that stands for itself.
    pub(crate) fn alone(
        what: impl Into<String>,
        unit: Unit,
        ours: &Samples,
        target: Target,
    ) -> Self {
        Self::new(what, unit.tell(ours), String::new(), ours.median(), unit, target)
    }

    fn new(
        what: impl Into<String>,
        ours: String,
        limit: String,
        value: f64,
        unit: Unit,
        target: Target,
    ) -> Self {
        let (target, met) = match target {
            Target::AtLeast(least) => {
                (format!("≥ {}", unit.write(least)), if value >= least { "yes" } else { "**no**" })
            }
            Target::AtMost(most) => {
                (format!("≤ {}", unit.write(most)), if value <= most { "yes" } else { "**no**" })
            }
            Target::None => (String::new(), ""),
        };
        let value = if limit.is_empty() { String::new() } else { unit.write(value) };
        Self { what: what.into(), ours, limit, value, target, met }
    }

    /// A line of a Markdown table.
    pub(crate) fn line(&self) -> String {
        let Self { what, ours, limit, value, target, met } = self;
        format!("| {what} | {ours} | {limit} | {value} | {target} | {met} |")
    }
}

/// The first lines of the table.
pub(crate) const HEADING: &str =
    "| what | ours | the limit | ratio | target | met |\n|---|---|---|---|---|---|";
