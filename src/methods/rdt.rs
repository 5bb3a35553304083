//! RDT, the robust data set of Ilyas et al. (2019) as the RRM paper ran it: each training image is replaced by one whose features
//! a robust teacher cannot tell from the original's, made by gradient descent from an unrelated image; then plain training on them.
//!
//! `x' = argmin ||g_T(x') - g_T(x)||_2` by steps of fixed L2 length in the gradient's direction, clamped to `[0, 1]`, the best
//! iterate kept; no ball around the start. The label is that of x. Made once before the first step: (2F + B) of the teacher for
//! each image and step of the descent, less one forward that the authors' code wastes; after that an epoch costs what ERM's does.
//! The images are kept as bytes, which is what the authors' loader makes of them too.

use super::erm::Erm;
use super::{Batch, Context, Method, Objective};
use crate::nn::{Mode, Model, Network};
use crate::protocol::Dial;
use crate::protocol::event::Term;
use tch::{Kind, Tensor};

/// Plain training; what is special is the data.
pub struct Rdt;

impl Method for Rdt {
    fn terms(&self) -> &'static [Term] {
        Erm.terms()
    }

    fn dials(&self) -> &'static [Dial] {
        Erm.dials()
    }

    fn objective(&mut self, student: &Model, batch: &Batch, context: Context) -> Objective {
        Erm.objective(student, batch, context)
    }
}

/// Images like `originals` to the teacher's features, begun at `starts`. Both `[N, C, H, W]` in `[0, 1]`; so is what comes back.
/// `go_on` is asked before each step; `None` when it said no.
pub fn invert(
    teacher: &Model,
    originals: &Tensor,
    starts: &Tensor,
    steps: u32,
    step_size: f64,
    mut go_on: impl FnMut() -> bool,
) -> Option<Tensor> {
    let target = super::ask(teacher, originals).features;
    let norm = |x: &Tensor| x.square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float).sqrt();
    let per_image = |x: &Tensor| x.view([-1, 1, 1, 1]);
    let mut current = starts.detach();
    let mut best = current.shallow_clone();
    let mut least = Tensor::full([starts.size()[0]], f64::INFINITY, (Kind::Float, starts.device()));
    for step in 0..=steps {
        if !go_on() {
            return None;
        }
        let x = current.set_requires_grad(true);
        let away = norm(&(teacher.forward(&x, Mode::Eval).features - &target));
        // One more look at the last point, without a backward.
        let gradient = (step < steps).then(|| Tensor::run_backward(&[away.sum(Kind::Float)], &[&x], false, false).remove(0));
        let _guard = tch::no_grad_guard();
        let away = away.detach();
        let better = away.less_tensor(&least);
        best = x.detach().where_self(&per_image(&better), &best);
        least = least.minimum(&away);
        current = x.detach();
        if let Some(gradient) = gradient {
            let length = per_image(&norm(&gradient.flatten(1, -1))).clamp_min_(1e-10);
            current = (current - gradient / length * step_size).clamp_(0.0, 1.0);
        }
    }
    Some(best)
}
