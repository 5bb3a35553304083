//! What an evaluation makes of its measurements beside the numbers that were asked for: the curve, and the doubts.
//!
//! What is doubtful is [`crate::train::doubts`]' to say; here is who is counted.

use super::{Audit, AuditError, Measured, Measurement, Role, Subject};
use crate::protocol::report::{Curve, CurvePoint, Doubts, Report, StageReport, Suspicion};
use crate::train::doubts;

impl Audit<'_> {
    /// The curve and the doubts.
    pub(super) fn second_thoughts(
        &self,
        subjects: &[Subject],
        measurements: &[Measurement],
        found: &[Measured],
        report: &mut Report,
    ) -> Result<(), AuditError> {
        let with_role = || measurements.iter().zip(found);
        if let Some(plan) = &self.plan.curve {
            let points: Vec<CurvePoint> = with_role()
                .filter_map(|(m, found)| match m.role {
                    Role::Radius(eps) => Some(CurvePoint { eps, adversarial: found.report.adversarial }),
                    Role::Asked | Role::Check(_) => None,
                })
                .collect();
            let images = plan.images.min(subjects.len() as u64);
            let standing: Vec<(f64, u64)> =
                points.iter().map(|p| (p.eps.0, (p.adversarial * images as f64).round() as u64)).collect();
            report.doubts.extend(doubts::rises(images, &standing));
            report.looked_for.push(Suspicion::RisesWithEpsilon);
            report.curve = Some(Curve { attack: plan.attack.clone(), images, points });
        }
        let sample = sample(subjects);
        let Some((threat, _)) = self.threat().filter(|_| self.plan.doubts == Doubts::Look && !sample.is_empty()) else {
            return Ok(());
        };
        let places: Vec<i64> = sample.iter().map(|&i| subjects[i].place).collect();
        for chunk in places.chunks(self.batch(None)).take(1) {
            let (batch, _) = self.set.batch(chunk)?;
            report.doubts.extend(doubts::answers(self.network, &batch));
        }
        let mut looked_for = vec![
            Suspicion::ZeroGradients,
            Suspicion::VanishingGradients,
            Suspicion::RandomAnswers,
            Suspicion::SoftmaxAnswers,
            Suspicion::SquareIsStronger,
        ];
        // What attacks with gradients fooled, of those that were asked for.
        let mut climbed = vec![false; subjects.len()];
        let mut square = vec![false; subjects.len()];
        for (measurement, found) in with_role().filter(|(m, _)| m.role == Role::Asked) {
            let black_box = |stage: &StageReport| measurement.ensemble.members[stage.member].name.black_box();
            let last = found.report.stages.iter().rev().take_while(|s| black_box(s)).map(|s| s.fooled).sum::<u64>();
            let alone = found.report.stages.iter().all(black_box);
            if last > 0 && !alone {
                report.doubts.extend(doubts::square_after(last, subjects.len() as u64));
            }
            let seen = if alone { &mut square } else { &mut climbed };
            found.tricks.iter().zip(seen).filter(|(trick, _)| trick.is_some()).for_each(|(_, seen)| *seen = true);
        }
        let gradients = with_role()
            .filter(|(m, _)| m.role == Role::Asked)
            .any(|(m, _)| m.ensemble.members.iter().any(|spec| !spec.name.black_box()));
        let only_square = square.iter().zip(&climbed).filter(|(s, c)| **s && !**c).count() as u64;
        if gradients {
            report.doubts.extend(doubts::square_after(only_square, subjects.len() as u64));
        }
        if threat.eps.0 > 0.0 {
            looked_for.extend([Suspicion::WeakerWithMoreSteps, Suspicion::RisesWithEpsilon, Suspicion::RobustAtEpsilonOne]);
            let stood: Vec<doubts::Stood> = with_role()
                .filter_map(|(m, found)| match m.role {
                    Role::Check(check) => Some(doubts::Stood {
                        check,
                        standing: sample.iter().filter(|&&i| found.tricks[i].is_none()).count() as u64,
                        alone: sample.iter().filter(|&&i| found.tricks[i].is_some() && !climbed[i]).count() as u64,
                    }),
                    Role::Asked | Role::Radius(_) => None,
                })
                .collect();
            report.doubts.extend(doubts::small_attacks(sample.len() as u64, threat, &stood));
        }
        report.looked_for.extend(looked_for);
        report.looked_for.sort_unstable();
        report.looked_for.dedup();
        Ok(())
    }
}

/// The images that the small attacks look at: the first that are classified correctly.
pub(super) fn sample(subjects: &[Subject]) -> Vec<usize> {
    (0..subjects.len()).filter(|&i| subjects[i].stands()).take(doubts::SAMPLE).collect()
}
