//! Reports for people.

use quorate_bench::Report;

use super::output;

/// A run.
pub(super) fn show(report: &Report) {
    let pace =
        report.rate.map_or_else(|| "as fast as it answers".to_owned(), |rate| format!("{rate} a second"));
    let latency = report.latency;
    let audit = report.audit;
    output::print_pairs([
        ("load", format!("{} over {}, {pace}", report.profile, report.transport)),
        ("from", format!("{} accounts, {} connections", report.senders, report.clients)),
        ("submitted", report.submitted.to_string()),
        ("accepted", format!("{}, {:.0} a second", report.accepted, report.accepted_per_second)),
        (
            "committed",
            format!(
                "{}, {:.0} a second, in {} blocks and {:.1} s",
                report.committed, report.committed_per_second, report.blocks, report.seconds
            ),
        ),
        (
            "to commit",
            format!(
                "p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms, at most {:.1} ms",
                latency.p50, latency.p95, latency.p99, latency.max
            ),
        ),
        (
            "audit",
            if audit.is_clean() {
                format!("each once, {} blocks compared", audit.compared)
            } else {
                format!(
                    "WRONG: {} lost, {} twice, {} other hashes, {} other nonces",
                    audit.missing, audit.twice, audit.other_hashes, audit.other_nonces
                )
            },
        ),
    ]);
    for (reason, count) in &report.refused {
        output::print(format_args!("refused {count}: {reason}"));
    }
    if !report.nodes.is_empty() {
        let mut table = output::table(&["process", "CPU µs per tx", "memory MiB", "disk bytes per tx"]);
        for node in &report.nodes {
            table.add_row([
                node.url.clone(),
                format!("{:.0}", node.cpu_us_per_transaction),
                format!("{:.0}", node.resident_bytes / f64::from(1 << 20)),
                format!("{:.0}", node.data_bytes_per_transaction),
            ]);
        }
        output::print(table);
    }
}

/// The steps of a ramp, and where the knee is.
pub(super) fn show_steps(steps: &[Report]) {
    let mut table = output::table(&["due a second", "committed a second", "p50 ms", "p99 ms", "audit"]);
    for step in steps {
        table.add_row([
            format!("{:.0}", step.rate.unwrap_or_default()),
            format!("{:.0}", step.committed_per_second),
            format!("{:.1}", step.latency.p50),
            format!("{:.1}", step.latency.p99),
            if step.audit.is_clean() { "each once" } else { "WRONG" }.to_owned(),
        ]);
    }
    output::print(table);
    match steps {
        [.., last, _] => {
            output::print(format_args!("the knee: {:.0} a second", last.rate.unwrap_or_default()))
        }
        _ => output::print("the knee is below the first step"),
    }
}
