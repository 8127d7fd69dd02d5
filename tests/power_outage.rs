//! An area gets its power back: what the ACS sees of ten thousand boxes, in virtual time
//! (`benches/run storm` draws it).

#[path = "../benches/storm/plot.rs"]
mod plot;
#[path = "../benches/storm/simulation.rs"]
mod simulation;

use simulation::CAPACITY;

// RTY-001, RTY-006
#[test]
fn ten_thousand_boxes_load_the_acs_far_less_than_with_a_fixed_table() {
    let outcomes = plot::outcomes();
    for outcome in &outcomes {
        let (ours, fixed) = (outcome.ours.peak(), outcome.fixed.peak());
        println!("{}: {ours}, {fixed}", outcome.title);
        assert!(ours * 4 < fixed, "{}: {ours}, {fixed}", outcome.title);
        assert!(
            outcome.ours.refused() * 2 < outcome.fixed.refused(),
            "{}: {} refused, {} refused",
            outcome.title,
            outcome.ours.refused(),
            outcome.fixed.refused()
        );
        assert!(
            outcome.ours.all_served < outcome.fixed.all_served,
            "{}: {} s, {} s",
            outcome.title,
            outcome.ours.all_served,
            outcome.fixed.all_served
        );
    }
    // Those that are refused come again while others still come for the first time.
    assert!(outcomes[0].ours.peak() < 5 * CAPACITY);
    let committed = include_str!("../benches/power-outage.svg");
    assert!(
        plot::svg(&outcomes) == committed,
        "benches/power-outage.svg is not what is simulated; run benches/run storm"
    );
}
