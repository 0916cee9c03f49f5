//! Five hundred seeds in the test command; `DHARMA_SIM_SEED` repeats one, `DHARMA_SIM_RUNS` runs more.

use super::{Report, Violation, run};

/// Seeds of the ordinary test run.
const RUNS: u64 = 500;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_fails_every_accepted_record_is_stored_once_or_covered_by_a_gap() {
    if let Some(seed) = variable("DHARMA_SIM_SEED") {
        let report = run(seed).unwrap_or_else(|violation| panic!("{violation}"));
        println!("seed {seed}: {report:?}");
        return;
    }
    let runs = variable("DHARMA_SIM_RUNS").unwrap_or(RUNS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut total = Report::default();
    std::thread::scope(|scope| {
        let shares: Vec<_> = (0..threads)
            .map(|share| scope.spawn(move || run_share(share, threads, runs)))
            .collect();
        for share in shares {
            match share.join().unwrap() {
                Ok(report) => total.add(&report),
                Err(violation) => panic!("{violation}"),
            }
        }
    });
    println!("{total:?}");
    // A simulation in which nothing happens proves nothing.
    assert!(total.accepted > 100_000 && total.stored > 50_000, "{total:?}");
    assert!(total.lost_to_quota > 0 && total.lost_to_damage > 0 && total.refused > 0, "{total:?}");
    assert!(total.repeats_dropped > 0 && total.out_of_order > 0, "{total:?}");
    assert!(total.agent_kills > 0 && total.power_cuts > 0 && total.server_crashes > 0, "{total:?}");
}

/// Every n-th seed.
fn run_share(share: usize, of: usize, runs: u64) -> Result<Report, Violation> {
    let mut total = Report::default();
    for seed in (0..runs).skip(share).step_by(of) {
        total.add(&run(seed)?);
    }
    Ok(total)
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(run(4), run(4));
}
