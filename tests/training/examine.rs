//! Evaluations that are asked for while training: between steps, while paused, given up, refused; and what they leave alone.

use super::*;
use rematch::config::{AttackSpec, Ensemble};
use rematch::protocol::event::Split;
use rematch::protocol::report::{CurvePlan, Doubts, EvaluationPlan};

const THREAT: Threat = Threat { norm: Norm::Linf, eps: Eps(0.1) };

fn plan(steps: u32) -> EvaluationPlan {
    let pgd = AttackSpec::pgd(THREAT, steps, 1, 0);
    EvaluationPlan {
        of: Whose::Student,
        ensembles: vec![Ensemble { name: pgd.short(), members: vec![pgd] }],
        split: Split::Validation,
        images: Some(15),
        curve: Some(CurvePlan::around(THREAT, 15, 0)),
        doubts: Doubts::Look,
    }
}

fn examine(plan: EvaluationPlan) -> Command {
    Command::Examine(Box::new(plan))
}

#[test]
fn an_evaluation_between_steps_tells_what_it_found_and_leaves_training_alone() {
    // With two, the evaluation has threads of its own, and training must find its own again: other counts add in another order.
    for threads in [1, 2] {
        let options = || Options { threads: Some(threads), ..options() };
        let plain = Running::start(config(sat(2), 3), options()).end();
        let mut run = Running::starting_with(config(sat(2), 3), options(), &[examine(plan(5))]);
        let found = run.until("report", |e| matches!(e, Event::Examined { .. }));
        let Event::Examined { step, by, report } = found else { unreachable!() };
        assert_eq!((step, by), (0, Some(CommandId(0))));
        assert_eq!((report.images, report.split, report.of), (15, Split::Validation, Whose::Student));
        assert_eq!((report.attacks.len(), report.curve.as_ref().map(|c| c.points.len())), (1, Some(9)));
        let ended = run.end();
        assert_eq!(ended.outcome, Outcome::Completed);
        assert!(ended.records.iter().any(|r| matches!(r.event, Event::Examining { .. })));
        assert!(plain.tensors(15) == ended.tensors(15), "evaluating changed what was trained");
    }
}

#[test]
fn a_paused_run_is_evaluated_at_once_and_stays_paused() {
    let mut run = Running::start(config(Method::Erm, 200), options());
    run.ask(Command::Set { change: Change::Flow(Flow::Paused), note: None });
    run.until("pause", |e| matches!(e, Event::Controlled { change: Change::Flow(Flow::Paused), .. }));
    run.ask(examine(plan(2)));
    let Event::Examined { step, .. } = run.until("report", |e| matches!(e, Event::Examined { .. })) else { unreachable!() };
    run.ask(Command::Set { change: Change::Flow(Flow::Running), note: None });
    let went_on = run.until("going on", |e| matches!(e, Event::Controlled { change: Change::Flow(Flow::Running), .. }));
    assert!(matches!(went_on, Event::Controlled { step: at, .. } if at == step), "steps were done while paused: {went_on:?}");
    run.ask(Command::Stop(Stop { when: StopWhen::AfterStep, save: SaveOnStop::Discard }));
    assert_eq!(run.end().outcome, Outcome::Stopped);
}

#[test]
fn an_evaluation_is_given_up_or_refused_with_a_reason() {
    let mut run = Running::start(config(Method::Erm, 200), options());
    let long = run.ask(examine(plan(100_000)));
    run.until("progress", |e| matches!(e, Event::Examining { .. }));
    run.ask(Command::GiveUp);
    let refused = |id| move |e: &Event| matches!(e, Event::Refused { by, .. } if *by == id);
    let Event::Refused { reason, .. } = run.until("giving up", refused(long)) else { unreachable!() };
    assert!(reason.contains("was given up"), "{reason}");
    for (plan, why) in [
        (EvaluationPlan { split: Split::Test, ..plan(2) }, "test images are looked at once"),
        (EvaluationPlan { of: Whose::Teacher, ..plan(2) }, "this run has no teacher"),
    ] {
        let id = run.ask(examine(plan));
        let Event::Refused { reason, .. } = run.until("refusal", refused(id)) else { unreachable!() };
        assert!(reason.contains(why), "{reason}");
    }
    // A stop does not wait for the end of an evaluation.
    run.ask(examine(plan(100_000)));
    run.until("progress", |e| matches!(e, Event::Examining { .. }));
    run.ask(Command::Stop(Stop { when: StopWhen::AfterStep, save: SaveOnStop::Save }));
    let ended = run.end();
    assert_eq!(ended.outcome, Outcome::Stopped);
    assert!(ended.checkpoint(ended.step).exists(), "what was trained is saved");
}
