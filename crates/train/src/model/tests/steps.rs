//! One training step of ResNet-18 against PyTorch's and timm's optimizers: `golden/steps.py`.

use millstream_data::{Key, Row, Target};

use super::reference::{as_in_training, by_formula, formula};
use super::*;
use crate::OptimizerKind;
use crate::gradients::{Gradients, gradients};
use crate::loss::{Labels, Targets, shared_by};
use crate::optim::optimizer;

const GOLDEN: &str = include_str!("../../../golden/steps.txt");
const SIDE: u32 = 40;
const CLASSES: [u32; 4] = [0, 3, 6, 9];
/// Against the L2 norm of the tensor, or the number itself if that is larger. Rounding to 32 bits alone makes 1e-5, in PyTorch as here.
const ALLOWED: f64 = 2e-5;

fn resnet() -> Net {
    let kind = ModelKind::named("resnet18").unwrap();
    let at = dimensions(SIDE, SIDE, 3);
    let outline = Net::build(&kind, at, Origin::Nowhere).unwrap().params;
    let tensors = outline.entries().iter().map(|param| (param.name.clone(), by_formula(param, 1.0))).collect();
    Net::build(&kind, at, Origin::Given(tensors)).unwrap()
}

fn targets() -> Targets {
    let row = |class: &u32| Row {
        record: 0,
        key: Key(0),
        view: 0,
        epoch: 0,
        copy: 0,
        target: Target::Hard(*class),
        labelled: true,
    };
    let rows: Vec<Row> = CLASSES.iter().map(row).collect();
    let labels = Labels { classes: 10, smoothing: 0.0, distilled: None, taught: false };
    Targets::alone(&rows, &shared_by(&rows, 0.0), &labels).unwrap()
}

fn learn(net: &Net) -> Gradients {
    let side = i64::from(SIDE);
    let images = as_in_training(&formula("images", &[4, 3, side, side], 1.0, 0.0));
    let trained: Vec<Tensor> = net.params.trained().map(|param| param.tensor.shallow_clone()).collect();
    let seeded = seeded(1, 0, Purpose::Step(0, 0));
    gradients(&trained, &targets(), 1, |_| net.model.forward(&images, Mode::Train(&seeded, None))).unwrap()
}

/// Sum, L2 norm and three numbers of a tensor.
fn summary(tensor: &Tensor) -> [f64; 5] {
    let flat = tensor.detach().contiguous().to_kind(Kind::Double).flatten(0, -1);
    let last = flat.size1().unwrap() - 1;
    let at = |place: i64| flat.double_value(&[place]);
    let [sum, norm] = [flat.sum(None), flat.norm()].map(|number| number.double_value(&[]));
    [sum, norm, at(0), at((last + 1) / 3), at(last)]
}

#[track_caller]
fn check(kind: &str, net: &Net, tensors: &[Tensor]) {
    let lines = GOLDEN.lines().map(|line| line.split(' ').collect::<Vec<&str>>());
    let mut expected: BTreeMap<&str, Vec<f64>> = lines
        .filter(|words| words[..2] == ["resnet18", kind])
        .map(|words| (words[2], words[3..].iter().map(|word| word.parse().unwrap()).collect()))
        .collect();
    for (param, tensor) in net.params.trained().zip(tensors) {
        let expected = expected.remove(param.name.as_str()).unwrap();
        for (found, number) in summary(tensor).iter().zip(&expected) {
            let far = (found - number).abs() / expected[1].max(number.abs());
            assert!(far <= ALLOWED, "{kind} {}: {found} for {number}: {far:.1e}", param.name);
        }
    }
    assert!(expected.is_empty(), "{:?}", expected.keys());
}

/// How far each parameter moves in one update with the settings of `golden/steps.py`.
fn moved(kind: &OptimizerKind, net: &Net, gradients: &[Tensor]) -> Vec<Tensor> {
    let tensors = net.params.copies().unwrap();
    let net =
        Net::build(&ModelKind::named("resnet18").unwrap(), dimensions(SIDE, SIDE, 3), Origin::Given(tensors)).unwrap();
    let mut gradients: Vec<Tensor> = gradients.iter().map(Tensor::copy).collect();
    let before: Vec<Tensor> = net.params.trained().map(|param| param.tensor.detach().copy()).collect();
    optimizer(kind, net.params.trained(), CPU).unwrap().update(&mut gradients, 1.0).unwrap();
    net.params.trained().zip(before).map(|(param, before)| param.tensor.detach() - before).collect()
}

/// The optimizers of `golden/steps.py` that update ResNet-18.
fn optimizers() -> [(&'static str, OptimizerKind); 3] {
    let (lr, weight_decay, momentum) = (1.0, 0.1, 0.9);
    [
        ("sgd", OptimizerKind::Sgd { lr, momentum, nesterov: false, weight_decay }),
        ("adamw", OptimizerKind::AdamW { lr, betas: [0.8, 0.95], eps: 1.0, weight_decay }),
        ("rmsprop", OptimizerKind::RmsProp { lr, decay: 0.9, momentum, eps: 1e-3, weight_decay }),
    ]
}

#[test]
fn one_step_is_that_of_the_reference() {
    let net = resnet();
    let learned = learn(&net);
    check("gradient", &net, &learned.tensors);
    for (name, kind) in optimizers() {
        check(name, &net, &moved(&kind, &net, &learned.tensors));
    }
}

/// Against PyTorch's own 32 bits on this machine: the largest difference of a number, as a share of the tensor's largest.
#[test]
#[ignore = "scripts/parity-models --steps runs it"]
#[expect(clippy::print_stdout, reason = "the script shows it")]
fn one_step_is_that_of_this_machine_s_pytorch() {
    let path = std::env::var("MILLSTREAM_PARITY_STEPS").expect("the file of `steps.py whole`");
    let (_, theirs) = crate::weights::read(std::path::Path::new(&path), CPU).unwrap();
    let net = resnet();
    let gradients = learn(&net).tensors;
    let updates = optimizers().map(|(name, kind)| (name, moved(&kind, &net, &gradients)));
    for (what, ours) in std::iter::once(("gradient", gradients)).chain(updates) {
        let far = net.params.trained().zip(&ours).map(|(param, ours)| {
            let theirs = &theirs[&format!("{what}.{}", param.name)];
            let most = |tensor: Tensor| tensor.abs().max().double_value(&[]);
            most(ours - theirs) / most(theirs.shallow_clone())
        });
        let most = far.fold(0.0, f64::max);
        println!("parity | resnet18 | {what} | {most:.1e}");
        assert!(most <= 1e-5, "{what}: {most:.1e}");
    }
}
