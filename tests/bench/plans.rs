//! What plans cost: `cargo run --release --example plans`.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::time::Instant;

use lazarus_pit::plan::{File, Known, PlanSet, Who, load};

/// A plan as they are in earnest: globs, a label, probes, templates, two steps.
fn plan(number: usize) -> String {
    format!(
        "name: plan-{number}\n\
         description: Keep sprint {number} at work\n\
         match:\n  cells: [\"sprint-{number}-*\", \"old-{number}\"]\n  agents: [\"claude\", \"al*\"]\n  labels: {{team: t{}}}\n\
         when: {{status: [dead, exited], for: 2m}}\n\
         probes:\n  - tcp: localhost:8765\n  - http: {{url: \"http://localhost/{{{{ cell.id }}}}\", json: {{status: ok}}}}\n    timeout: 3s\n  \
         - process: {{pattern: \"think_{number}\"}}\n\
         policy: auto\n\
         steps:\n  - run: [systemctl, restart, \"nexus-{{{{ agent.name }}}}.service\"]\n    timeout: 30s\n  \
         - spawn: {{command: [python3, think.py, \"{{{{ cell.labels.team }}}}\"], env: {{N: \"{number}\"}}}}\n\
         limits: {{attempts: 3, within: 1h, backoff: {{initial: 30s, factor: 2, max: 15m}}}}\n\
         needs: [\"gateway:timmy\", \"sprint-{}-1/db\"]\n",
        number % 10,
        number + 1,
    )
}

fn measure(count: usize, per_file: usize) {
    let texts: Vec<String> = (0..count).map(plan).collect();
    let files: Vec<File> = texts
        .chunks(per_file)
        .enumerate()
        .map(|(number, texts)| File {
            name: format!("plans/{number:06}.yaml"),
            text: texts.join("---\n").into_bytes(),
        })
        .collect();
    let begun = Instant::now();
    let (set, problems) = load(&files, &Known::default());
    println!(
        "load {count} plans in {} files: {:?}, {} problems",
        files.len(),
        begun.elapsed(),
        problems.len()
    );
    assert_eq!(set.plans().len(), count, "{}", problems[0]);
    govern(&set, count);
}

fn govern(set: &PlanSet, count: usize) {
    const SUBJECTS: usize = 100_000;
    let labels: Vec<BTreeMap<String, String>> = (0..10)
        .map(|n| BTreeMap::from([("team".to_owned(), format!("t{n}"))]))
        .collect();
    let cells: Vec<String> = (0..SUBJECTS)
        .map(|n| format!("sprint-{}-{n}", n % (count * 2)))
        .collect();
    let begun = Instant::now();
    let mut governed = 0;
    for (n, cell) in cells.iter().enumerate() {
        let who = Who::Agent {
            cell,
            agent: Some("claude"),
            labels: Some(&labels[n % (count * 2) % 10]),
        };
        governed += usize::from(set.governing(&who).is_some());
    }
    let each = begun.elapsed() / u32::try_from(SUBJECTS).unwrap();
    println!("  governing: {each:?} each over {SUBJECTS} subjects, {governed} governed");
}

fn main() {
    for (count, per_file) in [(100, 1), (1000, 1), (1000, 50), (10_000, 1), (10_000, 50)] {
        measure(count, per_file);
    }
    // The worst for the index: nothing in any glob by which a plan could be found.
    let text: Vec<String> = (0..1000)
        .map(|n| format!("name: p{n}\nmatch: {{cells: \"*x{n}*\"}}\npolicy: never\n"))
        .collect();
    let file = File {
        name: "p.yaml".to_owned(),
        text: text.join("---\n").into_bytes(),
    };
    let begun = Instant::now();
    let (set, _) = load(&[file], &Known::default());
    println!(
        "load 1000 plans with globs that must all be tried: {:?}",
        begun.elapsed()
    );
    govern(&set, 1000);
}
