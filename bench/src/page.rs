//! Reports as one page of HTML that needs nothing else: tables, and charts as SVG within it.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use plotters::{prelude::*, style::full_palette::ORANGE};

use crate::Report;

/// Of a chart, in pixels.
const SIZE: (u32, u32) = (860, 300);
/// Kept clear for the numbers along the axes.
const LABELS: u32 = 56;
/// What the page looks like, light or dark as its reader has it.
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #8884}\
th:first-child,td:first-child{text-align:left}svg{background:#fff;width:100%;height:auto}.bad{color:#c00}";

type Series<'a> = (&'a str, RGBColor, Vec<(f64, f64)>);

/// The page of one report, or of the steps of a ramp.
///
/// # Errors
/// When a chart cannot be drawn: a figure is no number.
pub fn page(reports: &[Report]) -> Result<String, Box<dyn std::error::Error>> {
    let charts = match reports {
        [one] => vec![over_time(one)?, quantiles(one)?],
        steps => vec![offered(steps)?, latencies(steps)?],
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "node bench" } style { (PreEscaped(STYLE)) } }
            body {
                h1 { "node bench" }
                @if let Some(first) = reports.first() {
                    p { (first.profile) " over " (first.transport) ", " (first.senders) " accounts, " (first.clients) " connections" }
                }
                (steps(reports))
                @for chart in &charts { (PreEscaped(chart)) }
                @if let Some(last) = reports.last() { (processes(last)) }
            }
        }
    };
    Ok(page.into_string())
}

fn steps(reports: &[Report]) -> Markup {
    html! {
        table {
            tr {
                @for name in ["due a second", "submitted", "accepted", "committed", "a second", "p50 ms", "p95 ms", "p99 ms", "max ms", "audit"] {
                    th { (name) }
                }
            }
            @for report in reports {
                tr {
                    td { @match report.rate { Some(rate) => { (format!("{rate:.0}")) } None => { "closed loop" } } }
                    td { (report.submitted) }
                    td { (report.accepted) }
                    td { (report.committed) }
                    td { (format!("{:.0}", report.committed_per_second)) }
                    @for value in [report.latency.p50, report.latency.p95, report.latency.p99, report.latency.max] {
                        td { (format!("{value:.1}")) }
                    }
                    td { @if report.audit.is_clean() { "each once" } @else { span.bad { (format!("{:?}", report.audit)) } } }
                }
            }
        }
    }
}

fn processes(report: &Report) -> Markup {
    html! {
        table {
            tr { @for name in ["process", "CPU µs per transaction", "memory MiB", "disk bytes per transaction"] { th { (name) } } }
            @for node in &report.nodes {
                tr {
                    td { (node.url) }
                    td { (format!("{:.0}", node.cpu_us_per_transaction)) }
                    td { (format!("{:.0}", node.resident_bytes / f64::from(1 << 20))) }
                    td { (format!("{:.0}", node.data_bytes_per_transaction)) }
                }
            }
        }
    }
}

fn over_time(report: &Report) -> Result<String, Box<dyn std::error::Error>> {
    let series = |of: fn(&crate::Second) -> usize| -> Vec<(f64, f64)> {
        (0_u32..).zip(&report.timeline).map(|(second, it)| (f64::from(second), of(it) as f64)).collect()
    };
    let lines =
        [("accepted", BLUE, series(|it| it.accepted)), ("committed", ORANGE, series(|it| it.committed))];
    chart("transactions in each second", &lines)
}

fn quantiles(report: &Report) -> Result<String, Box<dyn std::error::Error>> {
    let points = report.quantiles.iter().map(|it| (it.percent, it.milliseconds)).collect();
    chart("milliseconds to commit, by percentile", &[("latency", BLUE, points)])
}

fn offered(steps: &[Report]) -> Result<String, Box<dyn std::error::Error>> {
    let due = |report: &Report| report.rate.unwrap_or_default();
    let of = |value: fn(&Report) -> f64| steps.iter().map(|it| (due(it), value(it))).collect();
    let lines = [
        ("due", BLUE, of(|it| it.rate.unwrap_or_default())),
        ("committed", ORANGE, of(|it| it.committed_per_second)),
    ];
    chart("committed a second, by what was due", &lines)
}

fn latencies(steps: &[Report]) -> Result<String, Box<dyn std::error::Error>> {
    let of =
        |value: fn(&Report) -> f64| steps.iter().map(|it| (it.rate.unwrap_or_default(), value(it))).collect();
    let lines = [("p50", BLUE, of(|it| it.latency.p50)), ("p99", ORANGE, of(|it| it.latency.p99))];
    chart("milliseconds to commit, by what was due a second", &lines)
}

fn chart(title: &str, lines: &[Series<'_>]) -> Result<String, Box<dyn std::error::Error>> {
    let points = || lines.iter().flat_map(|(_, _, points)| points);
    let (right, top) = points().fold((1.0_f64, 1.0_f64), |(x, y), point| (x.max(point.0), y.max(point.1)));
    let left = points().fold(right, |x, point| x.min(point.0));
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(LABELS / 2)
            .y_label_area_size(LABELS)
            .build_cartesian_2d(left.min(right - 1.0)..right, 0.0..top * 1.1)?;
        chart.configure_mesh().light_line_style(WHITE).draw()?;
        for (name, colour, points) in lines {
            let colour = *colour;
            let drawn = chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?;
            drawn.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
        }
        chart.configure_series_labels().border_style(BLACK.mix(0.2)).background_style(WHITE).draw()?;
        area.present()?;
    }
    Ok(svg)
}
