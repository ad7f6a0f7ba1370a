//! The page in Prometheus's text format 0.0.4, which every tool reads, `promtool check metrics`
//! among them. It describes a metric under the name of its samples, and knows neither units nor
//! the type `info`.

use std::collections::BTreeMap;

/// What [`super::Metrics::text`] wrote as OpenMetrics, in the older format.
pub(super) fn classic(openmetrics: &str) -> String {
    let kinds: BTreeMap<&str, &str> = openmetrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let mut page = String::with_capacity(openmetrics.len());
    for line in openmetrics.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            page.push_str(line);
            page.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let (Some(what @ ("HELP" | "TYPE")), Some(name), Some(rest)) =
            (words.next(), words.next(), words.next())
        else {
            continue; // UNIT and EOF
        };
        let (ending, kind) = match kinds.get(name).copied() {
            Some("counter") => ("_total", "counter"),
            Some("info") => ("_info", "gauge"),
            kind => ("", kind.unwrap_or("untyped")),
        };
        let rest = if what == "TYPE" { kind } else { rest };
        page.push_str(&format!("# {what} {name}{ending} {rest}\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_is_described_under_the_name_of_its_samples() {
        let openmetrics = "\
# HELP t_mode The mode.
# TYPE t_mode gauge
t_mode{mode=\"writing\"} 1
# HELP t_commits Writes, all of them.
# TYPE t_commits counter
t_commits_total{result=\"written\"} 7
# HELP t_commit_seconds Time.
# TYPE t_commit_seconds histogram
# UNIT t_commit_seconds seconds
t_commit_seconds_sum 0.5
# HELP t_build The program.
# TYPE t_build info
t_build_info{version=\"1\"} 1
# EOF
";
        let expected = "\
# HELP t_mode The mode.
# TYPE t_mode gauge
t_mode{mode=\"writing\"} 1
# HELP t_commits_total Writes, all of them.
# TYPE t_commits_total counter
t_commits_total{result=\"written\"} 7
# HELP t_commit_seconds Time.
# TYPE t_commit_seconds histogram
t_commit_seconds_sum 0.5
# HELP t_build_info The program.
# TYPE t_build_info gauge
t_build_info{version=\"1\"} 1
";
        assert_eq!(classic(openmetrics), expected);
    }
}
