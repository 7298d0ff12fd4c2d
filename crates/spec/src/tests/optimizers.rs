//! Optimizers, clipping, schedules and averages: what they become, and what is said about wrong ones.

use super::*;

/// The training of the second round with this line in the common training.
fn training(written: &str) -> TrainingPlan {
    let plan = parse_text(&changed("  ema: 0.99", &format!("  {written}")));
    plan.unwrap_or_else(|mistakes| panic!("{mistakes}")).rounds.remove(1).training
}

/// The only mistake of a definition with this line: what is underlined, the message and the help.
#[track_caller]
fn refused(written: &str, under: &str, message: &str, help: &str) {
    let mistakes = parse_text(&changed("  ema: 0.99", &format!("  {written}"))).unwrap_err();
    let [item] = mistakes.items() else { panic!("{mistakes}") };
    let place = item.place.as_ref().unwrap();
    assert_eq!((place.line, underlined(place).as_str()), (23, under), "{mistakes}");
    assert!(item.message.contains(message), "{mistakes}");
    assert!(item.help.as_deref().unwrap_or_default().contains(help), "{mistakes}");
}

#[test]
fn every_optimizer_can_be_written_and_has_defaults() {
    let betas = [0.9, 0.999];
    let sgd = OptimizerPlan::Sgd { lr: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.0005 };
    let adamw = |betas, weight_decay| OptimizerPlan::AdamW { lr: 0.001, betas, eps: 1e-8, weight_decay };
    let rmsprop = |lr| OptimizerPlan::RmsProp { lr, decay: 0.9, momentum: 0.9, eps: 0.001, weight_decay: 0.00001 };
    let lars =
        |lr, trust| OptimizerPlan::Lars { lr, momentum: 0.9, nesterov: false, weight_decay: 0.0005, trust, eps: 1e-8 };
    let lamb = |lr| OptimizerPlan::Lamb { lr, betas, eps: 1e-6, weight_decay: 0.01 };
    for (written, plan) in [
        ("batch: 64", sgd),
        ("optimizer: sgd", sgd),
        ("optimizer: adamw", adamw(betas, 0.01)),
        ("optimizer: { adamw: { betas: [0.9, 0.95], weight_decay: 0 } }", adamw([0.9, 0.95], 0.0)),
        ("optimizer: rmsprop", rmsprop(0.016)),
        ("optimizer: { rmsprop: { lr: 0.128 } }", rmsprop(0.128)),
        ("optimizer: lars", lars(1.0, 0.001)),
        ("optimizer: { lars: { lr: 4.8, trust: 0.02 } }", lars(4.8, 0.02)),
        ("optimizer: lamb", lamb(0.001)),
        ("optimizer: { lamb: { lr: 0.004 } }", lamb(0.004)),
    ] {
        assert_eq!(training(written).optimizer, plan, "{written}");
    }
}

#[test]
fn every_schedule_can_be_written_and_has_defaults() {
    let exponential = |warmup, decay, staircase| SchedulePlan::Exponential { warmup, every: 2.5, decay, staircase };
    for (written, schedule) in [
        ("{ cosine: { floor: 0.1 } }", SchedulePlan::Cosine { warmup: 0, floor: 0.1 }),
        ("cosine_arc", SchedulePlan::CosineArc { warmup: 0, half_turns: 0.4375 }),
        ("{ cosine_arc: { warmup: 5, half_turns: 0.5 } }", SchedulePlan::CosineArc { warmup: 5, half_turns: 0.5 }),
        ("{ step: { every: 30 } }", SchedulePlan::Step { every: 30, gamma: 0.1 }),
        ("{ step: { every: 30, gamma: 0.5 } }", SchedulePlan::Step { every: 30, gamma: 0.5 }),
        ("{ exponential: { every: 2.5 } }", exponential(0, 0.97, true)),
        ("{ exponential: { every: 2.5, warmup: 9, decay: 0.9, staircase: false } }", exponential(9, 0.9, false)),
    ] {
        assert_eq!(training(&format!("schedule: {written}")).schedule, schedule, "{written}");
    }
}

#[test]
fn gradients_are_clipped_and_batches_split_only_if_asked_for() {
    let plain = training("batch: 64");
    assert_eq!((plain.clip, plain.accumulate), (None, 1));
    assert_eq!(training("clip: off").clip, None);
    assert_eq!(training("clip: { norm: 1 }").clip, Some(ClipPlan::Norm(1.0)));
    assert_eq!(training("clip: { value: 0.5 }").clip, Some(ClipPlan::Value(0.5)));
    assert_eq!(training("accumulate: 4").accumulate, 4);
}

#[test]
fn batch_norms_act_as_one_only_if_asked_for() {
    let plans = ["batch: 64", "sync_batch_norm: false", "sync_batch_norm: true"].map(training);
    assert_eq!(plans.map(|plan| plan.sync_batch_norm), [false, false, true]);
    refused("sync_batch_norm: 1", "1", "`sync_batch_norm` must be `true` or `false`", "");
}

#[test]
fn an_average_is_a_number_or_settings() {
    assert_eq!(training("batch: 64").ema, None);
    assert_eq!(training("ema: off").ema, None);
    assert_eq!(training("ema: 0.999").ema, Some(EmaPlan { decay: 0.999, warmup: true }));
    assert_eq!(training("ema: { decay: 0.999 }").ema, Some(EmaPlan { decay: 0.999, warmup: true }));
    assert_eq!(training("ema: { decay: 0.9, warmup: false }").ema, Some(EmaPlan { decay: 0.9, warmup: false }));
}

#[test]
fn wrong_optimizers_are_explained() {
    refused("optimizer: adam", "adam", "`optimizer` has no kind `adam`", "`adamw`");
    refused("optimizer: { adamw: { betas: [0.9, 1] } }", "1", "of at least 0 and below 1", "");
    refused("optimizer: { adamw: { betas: 0.9 } }", "0.9", "`betas` must be a list of 2 numbers", "[0.9, 0.9]");
    refused("optimizer: { adamw: { momentum: 0.9 } }", "momentum", "unknown key `momentum`", "`betas`");
    refused("optimizer: { rmsprop: { eps: 0 } }", "0", "`eps` must be a number above 0", "");
    refused("optimizer: { lars: { nesterov: true, momentum: 0 } }", "0", "needs a momentum", "nesterov: false");
    refused("optimizer: { lamb: { lr: -1 } }", "-1", "`lr` must be a number above 0", "");
}

#[test]
fn wrong_schedules_are_explained() {
    refused("schedule: { step: {} }", "step", "`step` lacks the key `every`", "Steps between two falls");
    refused("schedule: { step: { every: 0 } }", "0", "from 1 to", "");
    refused("schedule: { cosine_arc: { half_turns: 0.6 } }", "0.6", "above 0 and at most 0.5", "");
    refused("schedule: { cosine: { floor: 2 } }", "2", "`floor` must be a number from 0 to 1", "");
    for kind in ["cosine", "cosine_arc", "exponential"] {
        let every = if kind == "exponential" { ", every: 3" } else { "" };
        let text = changed("steps: 400", &format!("steps: 9, schedule: {{ {kind}: {{ warmup: 9{every} }} }}"));
        let mistakes = parse_text(&text).unwrap_err();
        assert_eq!(mistakes.items().len(), 1, "{mistakes}");
        assert!(mistakes.items()[0].message.contains("leaves nothing of the 9 steps of round 0"), "{mistakes}");
    }
}

#[test]
fn wrong_clips_and_averages_are_explained() {
    refused("clip: 1", "1", "one key out of `norm`, `value` or `off`", "");
    refused("clip: { norm: 0 }", "0", "`norm` must be a number above 0", "");
    refused("clip: none", "none", "`clip` has no kind `none`", "`norm`, `value`, `off`");
    refused("accumulate: 0", "0", "from 1 to", "");
    refused("ema: 1", "1", "above 0 and below 1", "");
    refused("ema: { decay: 1.5 }", "1.5", "above 0 and below 1", "");
    refused("ema: { warmup: false }", "ema", "`ema` lacks the key `decay`", "");
    refused("ema: of", "of", "`ema` must be a number above 0 and below 1, a mapping", "");
}
