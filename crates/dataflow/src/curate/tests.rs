//! Files of answers in, a training set out, at 1 and 2 workers.

use std::fs;
use std::path::Path;

use millstream_data::Stage;
use millstream_data::answer::{Answer, AnswerSet, Failure, Format, Said, encode};

use super::*;

/// Of a cat, surely; its bytes are those of the image `image`.
fn answer(number: u32, image: u32) -> Answer {
    Answer {
        key: Key(u128::from(number)),
        place: format!("{number}.png"),
        label: None,
        fingerprint: Some(Fingerprint { content: Key(u128::from(image)), perceptual: u64::from(image) << 20 }),
        said: Ok(Said { probabilities: vec![0.9, 0.1], embedding: None }),
    }
}

fn labelled(number: u32, class: &str) -> Answer {
    Answer { label: Some(class.to_owned()), ..answer(number, number) }
}

fn unreadable(answer: Answer) -> Answer {
    let failure = Failure { stage: Stage::Decode, reason: "no image".to_owned() };
    Answer { fingerprint: None, said: Err(failure), ..answer }
}

fn classes() -> Vec<String> {
    ["cat", "dog"].map(str::to_owned).to_vec()
}

fn file(folder: &Path, name: &str, answers: &[Answer]) -> Vec<Location> {
    let set = AnswerSet {
        classes: classes(),
        top_k: 1,
        distribution: false,
        embedding: None,
        fingerprint: true,
        model: "00ff".to_owned(),
    };
    let path = folder.join(name);
    fs::write(&path, encode(&set, answers, Format::Parquet).unwrap()).unwrap();
    vec![Location::Local(path)]
}

/// What is chosen from these teachers, with all else as `parts` says.
fn chosen(teachers: &[Vec<Answer>], parts: impl Fn(&mut Parts)) -> Chosen {
    let folder = tempfile::tempdir().unwrap();
    let teachers = teachers.iter().enumerate();
    let teachers: Vec<_> = teachers.map(|(number, said)| file(folder.path(), &number.to_string(), said)).collect();
    let [one, two] = [1, 2].map(|workers| {
        let rule = Rule { threshold: 0.5, balance: None, seed: 1, classes: 2 };
        let mut all = Parts {
            store: Store::with_settings([]),
            teachers: teachers.clone(),
            again: Vec::new(),
            classes: classes(),
            policy: Policy::from(rule),
            soft: false,
            trusted: false,
            corrections: Vec::new(),
            duplicates: None,
            stop: Stop::new(),
        };
        parts(&mut all);
        let choosing = Arc::new(Choosing::new(all).unwrap());
        let working = Arc::clone(&choosing);
        let config = if workers == 1 { timely::Config::thread() } else { timely::Config::process(workers) };
        let guards = timely::execute(config, move |worker| working.run(worker)).unwrap();
        guards.join().into_iter().for_each(|result| result.unwrap());
        assert!(choosing.parts.stop.reason().is_none(), "{:?}", choosing.parts.stop.reason());
        choosing.chosen()
    });
    assert_eq!((&one.labels, &one.pairs, &one.copies), (&two.labels, &two.pairs, &two.copies));
    one
}

/// Key and class of each member.
fn members(chosen: &Chosen) -> Vec<(u128, u32)> {
    chosen.labels.iter().map(|(Key(key), label)| (*key, label.class)).collect()
}

#[test]
fn an_image_that_cannot_be_read_is_no_member_whatever_its_label() {
    let said = vec![labelled(1, "dog"), unreadable(labelled(2, "dog")), labelled(3, "horse"), unreadable(answer(4, 4))];
    assert_eq!(members(&chosen(std::slice::from_ref(&said), |parts| parts.trusted = true)), [(1, 1), (3, 0)]);
    // Another teacher could read it.
    let again = vec![labelled(2, "dog")];
    assert_eq!(members(&chosen(&[said, again], |parts| parts.trusted = true)), [(1, 1), (2, 1), (3, 0)]);
}

#[test]
fn what_people_have_labelled_counts_among_the_most_of_a_class() {
    let said: Vec<Answer> =
        (0..60).map(|number| if number < 3 { labelled(number, "cat") } else { answer(number, number) }).collect();
    let ways = [(Some(5), None), (None, Some(Balance { per_class: 5, upsample: false }))];
    for (most, balance) in ways {
        let number = |trusted: bool, corrected: u128| {
            let corrections =
                (0..corrected).map(|key| (Key(50 + key), Correction { import: 1, verdict: Verdict::Class(0) }));
            let corrections: Vec<_> = corrections.collect();
            let chosen = chosen(std::slice::from_ref(&said), |parts| {
                parts.trusted = trusted;
                parts.corrections = corrections.clone();
                parts.policy.most = most;
                parts.policy.rule.balance = balance;
            });
            let people = |(_, label): &&(Key, Label)| matches!(label.provenance, Provenance::Human { .. });
            (chosen.labels.iter().filter(people).count(), chosen.labels.len())
        };
        assert_eq!(number(true, 4), (7, 7), "people's labels stay, and leave no room");
        if most.is_some() {
            assert_eq!(number(true, 0), (3, 5));
            assert_eq!(number(false, 0), (0, 5));
        }
    }
}

#[test]
fn of_two_that_are_alike_the_one_that_people_labelled_stays() {
    let said: Vec<Answer> = (0..40).map(|number| answer(number, number % 20)).collect();
    let search = |parts: &mut Parts| {
        parts.duplicates = Some(Search { policy: Deduplication::KeepOne, distance: 0, test: Vec::new() });
    };
    let with = |verdict: Verdict, keys: std::ops::Range<u128>| {
        chosen(&[said.clone(), said.clone()], |parts| {
            search(parts);
            parts.corrections = keys.clone().map(|key| (Key(key), Correction { import: 1, verdict })).collect();
        })
    };
    let corrected = with(Verdict::Class(1), 20..40);
    assert_eq!(members(&corrected), (20..40).map(|key| (key, 1)).collect::<Vec<_>>());
    assert!(corrected.copies.iter().map(|(key, found)| (key.0, found.of.0)).eq((0..20).map(|key| (key, key + 20))));
    let rejected = with(Verdict::Reject, 0..20);
    assert_eq!(members(&rejected), (20..40).map(|key| (key, 0)).collect::<Vec<_>>());
}

#[test]
fn how_many_records_teachers_share_is_known() {
    let said = |keys: std::ops::Range<u32>| keys.map(|key| answer(key, key)).collect::<Vec<_>>();
    let chosen = chosen(&[said(0..30), said(20..40), said(40..50)], |_| {});
    assert_eq!([(0, 1), (0, 2), (1, 2)].map(|(first, second)| chosen.shared(first, second)), [10, 0, 0]);
}
