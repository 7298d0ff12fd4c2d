//! The commands beside `run`, on a real small run.

use crate::support::Place;

#[test]
fn a_trained_model_is_measured_and_asked() {
    let place = Place::new();
    let table = place.succeed(&["run", "pipeline.yaml"]);
    assert!(
        table.contains("pseudo-labelled") && table.contains("smallnet(12)") && table.contains("runs/small"),
        "{table}"
    );
    let report = place.report("runs/small");
    let accuracy = report["rounds"][2]["test_accuracy"].as_f64().unwrap();
    let eval: serde_json::Value = serde_json::from_str(&place.succeed(&["eval", "pipeline.yaml", "--json"])).unwrap();
    assert_eq!(eval["accuracy"].as_f64().unwrap(), accuracy, "eval of the last model equals the report");
    assert_eq!(eval["total"], report["rounds"][2]["test_total"]);
    let first = ["eval", "pipeline.yaml", "--model", "runs/small/rounds/000/model.safetensors", "--json"];
    let eval: serde_json::Value = serde_json::from_str(&place.succeed(&first)).unwrap();
    assert_eq!(eval["accuracy"], report["rounds"][0]["test_accuracy"]);

    let digits = place.path("digits");
    std::fs::create_dir(&digits).unwrap();
    for i in 0..5_u8 {
        image::GrayImage::from_fn(28, 28, |x, y| image::Luma([(x as u8).wrapping_mul(i) ^ y as u8]))
            .save(digits.join(format!("{i}.png")))
            .unwrap();
    }
    let csv = place.succeed(&["predict", "runs/small", "digits"]);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 6);
    assert!(lines[0] == "place,class_name,confidence" && lines[1].starts_with("digits/0.png,"), "{csv}");
    place.succeed(&["predict", "runs/small", "digits", "--out", "labels.parquet"]);
    let rows = millstream_data::read_labels(&place.path("labels.parquet")).unwrap();
    assert_eq!(rows.len(), 5);
    assert!(
        rows.iter()
            .all(|row| row.distribution.len() == 10 && (row.distribution.iter().sum::<f32>() - 1.0).abs() < 1e-4)
    );
    place.fail(&["predict", "runs/small", "digits", "--out", "labels.txt"], 2, &[".parquet", ".csv"]);
    place.fail(&["predict", "runs/small", "nothing"], 2, &["nothing"]);
}

#[test]
fn the_definition_is_checked_drawn_planned_and_described() {
    let place = Place::new();
    assert!(place.succeed(&["validate", "pipeline.yaml"]).contains("valid, 3 rounds"));
    for (format, says) in [("text", "labelled"), ("mermaid", "flowchart"), ("dot", "digraph")] {
        assert!(place.succeed(&["graph", "pipeline.yaml", "--format", format]).contains(says));
    }
    let schema: serde_json::Value = serde_json::from_str(&place.succeed(&["schema"])).unwrap();
    assert!(schema["properties"]["rounds"].is_object());
    let plan: serde_json::Value = serde_json::from_str(&place.succeed(&["plan", "pipeline.yaml", "--json"])).unwrap();
    assert_eq!(plan["labelled"], 40);
    assert_eq!(plan["rounds"][1]["training_images"], 40 * 48);
    let text = place.succeed(&["plan", "pipeline.yaml"]);
    assert!(text.contains("round 2   smallnet(12): 40 steps of 16 labelled + 32 unlabelled"), "{text}");
    assert!(!place.path("runs").exists(), "a plan writes nothing");
}

#[test]
fn labels_come_as_csv_too() {
    let place = Place::new();
    let quick = ["--set", "output.labels=csv", "--set", "training.steps=2", "--set", "rounds.0.training.steps=2"];
    place.succeed(&[&["run", "pipeline.yaml", "--out", "run"][..], &quick].concat());
    let csv = std::fs::read_to_string(place.path("run/rounds/000/labels.csv")).unwrap();
    let rows = millstream_data::read_labels(&place.path("run/rounds/000/labels.parquet")).unwrap();
    assert_eq!(csv.lines().count(), rows.len() + 1);
}

#[test]
fn the_doctor_finds_libtorch() {
    let place = Place::new();
    let output = place.run(&["doctor", "--json"]);
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let libtorch = &findings["findings"][0];
    assert_eq!((libtorch["what"].as_str(), libtorch["good"].as_bool()), (Some("libtorch"), Some(true)), "{findings:#}");
    assert!(libtorch["detail"].as_str().unwrap().starts_with("2.11.0"));
    assert_eq!(findings["healthy"], true);
}

#[test]
fn the_stream_is_measured() {
    let place = Place::new();
    let photos = place.path("photos");
    std::fs::create_dir(&photos).unwrap();
    for i in 0..40u32 {
        let pixels = image::RgbImage::from_fn(60, 50, |x, y| image::Rgb([(x * 3) as u8, (y * 5) as u8, (i * 6) as u8]));
        pixels.save(photos.join(format!("{i}.png"))).unwrap();
    }
    let bench = ["bench", "stream", "--corpus", "photos", "--task", "randaug", "--passes", "2", "--batch", "8"];
    let text = place.succeed(&[&bench[..], &["--workers", "2", "--json"]].concat());
    let reading: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((reading["images"].as_u64(), reading["workers"].as_u64()), (Some(40), Some(2)));
    assert!(reading["images_per_second"].as_array().unwrap().iter().all(|rate| rate.as_f64().unwrap() > 0.0));
    assert!(reading["first_batch_seconds"].as_f64().unwrap() > 0.0);
    std::fs::write(photos.join("broken.png"), b"not an image").unwrap();
    place.fail(&bench, 3, &["broken.png", "1 records"]);
    place.fail(&["bench", "stream", "--corpus", "nowhere"], 2, &["nowhere"]);
}

#[test]
fn two_processes_are_measured_in_one_command() {
    let place = Place::new();
    let read = |args: &[&str]| -> serde_json::Value { serde_json::from_str(&place.succeed(args)).unwrap() };
    let sums = read(&["bench", "all-reduce", "--megabytes", "1,2", "--repetitions", "3", "--json"]);
    assert_eq!((&sums["ranks"], &sums["sums"][1]["megabytes"]), (&2.into(), &2.into()), "{sums}");
    assert!(sums["sums"].as_array().unwrap().iter().all(|sum| sum["megabytes_per_second"].as_f64().unwrap() > 0.0));
    let small = ["--images", "2", "--size", "16", "--messages", "20", "--rounds", "2"];
    let ways = read(&[&["bench", "exchange", "--json"][..], &small].concat());
    assert!(ways["message_bytes"].as_u64().unwrap() > 2 * 16 * 16 * 3, "{ways}");
    // On a busy machine the ratio of such short rounds may come to 0.000.
    assert!(ways["ratio"]["by_round"]["least"].is_number(), "{ways}");
    assert!(ways["socket_megabytes_per_second"]["least"].as_f64().unwrap() > 0.0, "{ways}");
    let text = place.succeed(&[&["bench", "exchange"][..], &small].concat());
    assert!(text.contains("20 messages of") && text.contains("stream / socket: "), "{text}");
    let text = place.succeed(&["bench", "all-reduce", "--megabytes", "1", "--repetitions", "1"]);
    assert!(text.contains("2 processes, 1 sums") && text.contains("1 MB: "), "{text}");
    place.fail(&["bench", "all-reduce", "--partner"], 4, &["--partner", "not for people"]);
    place.fail(&["bench", "all-reduce", "--megabytes", "0"], 2, &["--megabytes"]);
}

#[test]
fn a_second_process_and_a_second_worker_are_compared_with_one() {
    let place = Place::new();
    let mnist = super::support::root().join("data/mnist/test-images-idx3-ubyte.gz");
    let corpus = ["--corpus", mnist.to_str().unwrap(), "--task", "fmnist"];
    let read =
        |args: &[&[&str]]| -> serde_json::Value { serde_json::from_str(&place.succeed(&args.concat())).unwrap() };
    let layout = ["--processes", "2", "--workers", "1", "--passes", "2", "--json"];
    let figures = read(&[&["bench", "stream"], &corpus, &layout]);
    assert_eq!((&figures["processes"], &figures["workers"]), (&2.into(), &1.into()), "{figures}");
    assert_eq!(figures["images_per_second"].as_array().unwrap().len(), 2);
    let figures = read(&[&["bench", "scaling", "--rounds", "1", "--json"], &corpus]);
    assert_eq!(figures["layouts"].as_array().unwrap().len(), 3, "{figures}");
    for name in ["two_workers_to_one", "two_processes_to_two_workers"] {
        assert!(figures[name]["of_medians"].as_f64().unwrap() > 0.0, "{figures}");
    }
    let scaling = |args: &[&str], says: &[&str]| place.fail(&[&["bench", "scaling"], args].concat(), 2, says);
    scaling(&["--corpus", "nowhere"], &["nowhere"]);
    scaling(&["--corpus", ".", "--task", "decode"], &["no stream"]);
    let decode = ["--corpus", ".", "--task", "decode", "--processes", "2"];
    place.fail(&[&["bench", "stream"][..], &decode].concat(), 2, &["decode", "one process"]);
}

#[test]
fn training_is_measured_with_its_stream_and_without() {
    let place = Place::new();
    let bench = "bench train --width 8 --size 16 --channels gray --batch 8 --steps 4 --warmup 2 --threads 1 --json";
    let bench: Vec<&str> = bench.split(' ').collect();
    let figure = |reading: &serde_json::Value, name: &str| reading[name].as_f64().unwrap_or(-1.0);
    for (how, workers) in [(&["--workers", "2"][..], Some(2)), (&["--synthetic"], None)] {
        let text = place.succeed(&[&bench[..], how].concat());
        let reading: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((reading["model"].as_str(), reading["workers"].as_u64()), (Some("smallnet"), workers), "{text}");
        assert_eq!([&reading["steps"], &reading["batch"], &reading["threads"], &reading["size"]], [4, 8, 1, 16]);
        for name in ["steps_per_second", "step_seconds", "training_seconds", "first_step_seconds", "peak_rss_mib"] {
            assert!(figure(&reading, name) > 0.0, "{name} in {text}");
        }
        let ratio = figure(&reading, "images_per_second") / figure(&reading, "steps_per_second");
        assert!((ratio - 8.0).abs() < 0.1 && figure(&reading, "waiting_seconds") >= 0.0, "{text}");
    }
    let mnist = super::support::root().join("data/mnist");
    let text = place.succeed(&[&bench[..bench.len() - 1], &["--mnist", mnist.to_str().unwrap()]].concat());
    assert!(text.contains("waited for data") && text.contains("batches of 8, 1 threads"), "{text}");
    assert!(!place.path("runs").exists(), "a benchmark leaves nothing behind");
}

#[test]
fn a_training_that_cannot_be_measured_says_why() {
    let place = Place::new();
    let train = |args: &[&str], code, says: &[&str]| place.fail(&[&["bench", "train"], args].concat(), code, says);
    train(&["--model", "resnet19"], 2, &["no model `resnet19`", "resnet18"]);
    train(&["--model", "resnet18", "--width", "8"], 2, &["no setting `width`"]);
    train(&["--size", "8"], 2, &["smallnet", "16"]);
    train(&["--set", "training.epochs=3"], 2, &["<command line>", "epochs"]);
    train(&["--mnist", "nowhere"], 2, &["nowhere", "train-images-idx3-ubyte"]);
}

#[test]
fn a_run_learns_from_webdataset_archives() {
    let place = Place::new();
    for shard in 0..2_u8 {
        let folder = place.path(&format!("samples-{shard}"));
        std::fs::create_dir(&folder).unwrap();
        for i in 0..20_u8 {
            let (name, class) = (format!("{shard}{i:03}"), i % 2);
            let bright = |x: u32, y: u32| if class == 0 { x % 7 < 2 } else { y % 7 < 2 };
            image::GrayImage::from_fn(28, 28, |x, y| image::Luma([if bright(x, y) { 200 + i } else { shard }]))
                .save(folder.join(format!("{name}.png")))
                .unwrap();
            std::fs::write(folder.join(format!("{name}.cls")), class.to_string()).unwrap();
        }
        let archive = place.path(&format!("train-{shard}.tar"));
        let tar = std::process::Command::new("tar")
            .args(["--sort=name", "-cf"])
            .arg(archive)
            .arg("-C")
            .arg(&folder)
            .arg(".")
            .status()
            .unwrap();
        assert!(tar.success());
    }
    place.write(
        "tars.yaml",
        "name: tars
data:
  sources: { train: { webdataset: { path: 'train-{0..1}.tar' } } }
  splits: { test: { from: train, take: { per_class: 5 } }, labelled: { from: train, except: test } }
stream: { size: [28, 28], channels: gray }
training: { steps: 30, batch: 10, unlabelled_ratio: 0, optimizer: { sgd: { lr: 0.05 } } }
rounds: [{ model: { smallnet: { width: 8 } } }]
",
    );
    place.succeed(&["run", "tars.yaml", "--workers", "2"]);
    let round = &place.report("runs/tars")["rounds"][0];
    assert_eq!((round["labelled"].as_u64(), round["test_total"].as_u64()), (Some(30), Some(10)));
    assert_eq!(round["test_accuracy"].as_f64(), Some(1.0), "rows and columns are told apart");
}
