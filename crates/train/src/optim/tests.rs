//! Optimizers against PyTorch and timm (`golden/steps.py`), and their state.

use super::*;

const CPU: tch::Device = tch::Device::Cpu;
const GOLDEN: &str = include_str!("../../golden/steps.txt");
const BETAS: [f64; 2] = [0.8, 0.95];
const EPS: f64 = 1e-3;

/// With the settings of `golden/steps.py`.
fn kinds() -> Vec<(&'static str, OptimizerKind)> {
    let (lr, weight_decay) = (1.0, 0.1);
    let sgd = |momentum, nesterov| OptimizerKind::Sgd { lr, momentum, nesterov, weight_decay };
    let rmsprop = |momentum| OptimizerKind::RmsProp { lr, decay: 0.9, momentum, eps: EPS, weight_decay };
    let lars = |nesterov| OptimizerKind::Lars { lr, momentum: 0.9, nesterov, weight_decay, trust: 0.02, eps: 1e-8 };
    vec![
        ("sgd", sgd(0.9, false)),
        ("sgd_nesterov", sgd(0.9, true)),
        ("sgd_plain", sgd(0.0, false)),
        ("adamw", OptimizerKind::AdamW { lr, betas: BETAS, eps: EPS, weight_decay }),
        ("rmsprop", rmsprop(0.9)),
        ("rmsprop_plain", rmsprop(0.0)),
        ("lars", lars(false)),
        ("lars_nesterov", lars(true)),
        ("lamb", OptimizerKind::Lamb { lr, betas: BETAS, eps: EPS, weight_decay }),
    ]
}

/// A weight, a bias and a weight of zeros.
fn params() -> [Param; 3] {
    let param = |name: &str, role, values: &[f32], shape: &[i64]| Param {
        name: name.to_owned(),
        role,
        tensor: Tensor::from_slice(values).reshape(shape),
        rate: 1.0,
        frozen: false,
        layer: 0,
    };
    [
        param("weight", Role::Weight, &[1.0, -2.0, 0.5, 3.0], &[2, 2]),
        param("bias", Role::Offset, &[0.25, -0.75], &[2]),
        param("zero", Role::Weight, &[0.0, 0.0], &[1, 2]),
    ]
}

fn gradients(factor: f64) -> [Tensor; 3] {
    let gradients = [(&[0.5f32, -0.25, 1.0, 0.125][..], [2, 2]), (&[0.1, -0.2], [1, 2]), (&[0.25, -1.0], [1, 2])];
    let tensor = |(values, shape): (&[f32], [i64; 2])| Tensor::from_slice(values).reshape(shape) * factor;
    let [weight, bias, zero] = gradients.map(tensor);
    [weight, bias.flatten(0, 1), zero]
}

/// Factors on the gradients, and rates.
const UPDATES: [(f64, f64); 4] = [(1.0, 0.1), (2.0, 0.05), (-3.0, 0.0), (-4.0, 0.2)];

fn start(kind: &OptimizerKind, params: &[Param]) -> Box<dyn Optimizer> {
    optimizer(kind, params.iter(), CPU).unwrap()
}

fn update(optimizer: &mut dyn Optimizer, updates: &[(f64, f64)]) {
    for (factor, rate) in updates {
        optimizer.update(&mut gradients(*factor), *rate).unwrap();
    }
}

fn values(params: &[Param]) -> Vec<f32> {
    let flat: Vec<Tensor> = params.iter().map(|param| param.tensor.flatten(0, -1)).collect();
    Vec::try_from(Tensor::cat(&flat, 0)).unwrap()
}

#[test]
fn four_updates_are_those_of_the_reference() {
    for (name, kind) in kinds() {
        let params = params();
        update(&mut *start(&kind, &params), &UPDATES);
        let line = GOLDEN.lines().find_map(|line| line.strip_prefix(&format!("small {name} "))).unwrap();
        let expected: Vec<f32> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let found = values(&params);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-6 * expected.abs().max(0.5), "{name}: {found} for {expected}");
        }
    }
}

#[test]
fn a_state_that_left_and_came_back_goes_on_with_the_same_bits() {
    for (name, kind) in kinds() {
        let through = params();
        update(&mut *start(&kind, &through), &UPDATES);
        let before = params();
        let mut first = start(&kind, &before);
        update(&mut *first, &UPDATES[..2]);
        let mut state: BTreeMap<String, Tensor> = first.state().into_iter().collect();
        state.insert("other".to_owned(), Tensor::from(1f32));
        let mut second = start(&kind, &before);
        second.restore(&mut state).unwrap();
        assert_eq!(state.keys().collect::<Vec<_>>(), ["other"], "{name}");
        update(&mut *second, &UPDATES[2..]);
        assert_eq!(values(&before), values(&through), "{name}");
        // Without the state it would be something else.
        if name != "sgd_plain" {
            let forgotten = params();
            update(&mut *start(&kind, &forgotten), &UPDATES[..2]);
            update(&mut *start(&kind, &forgotten), &UPDATES[2..]);
            assert_ne!(values(&forgotten), values(&through), "{name}");
        }
    }
}

#[test]
fn states_have_names() {
    let names = |name: &str| {
        let kind = kinds().into_iter().find(|(kind, _)| *kind == name).unwrap().1;
        start(&kind, &params()[..2]).state().into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(names("sgd_plain"), ["step"]);
    assert_eq!(names("lars"), ["step", "velocity.weight", "velocity.bias"]);
    assert_eq!(names("lamb"), ["step", "mean.weight", "square.weight", "mean.bias", "square.bias"]);
    assert_eq!(names("rmsprop"), ["step", "square.weight", "velocity.weight", "square.bias", "velocity.bias"]);
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let (_, kind) = kinds().swap_remove(3);
    let params = params();
    let mut optimizer = start(&kind, &params);
    update(&mut *optimizer, &UPDATES[..1]);
    let kept = |optimizer: &dyn Optimizer| -> BTreeMap<String, Tensor> {
        optimizer.state().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect()
    };
    let mut refused = |change: &dyn Fn(&mut BTreeMap<String, Tensor>)| {
        let before = kept(&*optimizer);
        let mut state = kept(&*optimizer);
        state.values_mut().for_each(|tensor| *tensor = tensor.ones_like());
        change(&mut state);
        let error = optimizer.restore(&mut state).unwrap_err().to_string();
        assert!(kept(&*optimizer).values().zip(before.values()).all(|(now, before)| now.equal(before)));
        error
    };
    let missing = refused(&|state| drop(state.remove("square.bias")));
    assert!(missing.contains("`square.bias` is missing"), "{missing}");
    let shape = refused(&|state| drop(state.insert("mean.weight".to_owned(), Tensor::from(0f32))));
    assert!(shape.contains("`mean.weight` is [] of Float, it must be [2, 2] of Float"), "{shape}");
    let kind = refused(&|state| drop(state.insert("step".to_owned(), Tensor::from(0f32))));
    assert!(kind.contains("must be [] of Int64"), "{kind}");
}

#[test]
fn a_parameter_has_a_rate_of_its_own() {
    for (name, kind) in kinds() {
        let (mut slow, usual, half) = (params(), params(), params());
        slow[0].rate = 0.5;
        update(&mut *start(&kind, &slow), &UPDATES);
        update(&mut *start(&kind, &usual), &UPDATES);
        update(&mut *start(&kind, &half), &UPDATES.map(|(factor, rate)| (factor, rate / 2.0)));
        let parts = |params: &[Param; 3]| (values(&params[..1]), values(&params[1..]));
        assert_eq!(parts(&slow), (parts(&half).0, parts(&usual).1), "{name}");
        assert_ne!(parts(&half).0, parts(&usual).0, "{name}");
    }
}

#[test]
fn without_parameters_nothing_happens() {
    for (_, kind) in kinds() {
        start(&kind, &[]).update(&mut [], 0.1).unwrap();
    }
}
