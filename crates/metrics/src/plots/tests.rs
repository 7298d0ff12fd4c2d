//! Pictures are drawn for everything that a run can tell, and show what they should.

use super::*;
use crate::line::{Bin, Scores, Training};

fn history(rounds: u32, steps: u32) -> History {
    let mut history = History::default();
    for round in 0..rounds {
        for step in 0..steps {
            let x = f64::from(step) / f64::from(steps);
            let noise = f64::from((step * 7919 + round * 31) % 100) / 100.0 - 0.5;
            history.training.push(Training {
                round,
                epoch: 0,
                step,
                global_step: u64::from(round * steps + step + 1),
                loss: Some((2.3 * (-3.0 * x).exp() + 0.5 + 0.4 * noise).max(0.0)),
                learning_rate: 0.1,
                accuracy: Some((0.2 + 0.7 * x + 0.1 * noise).clamp(0.0, 1.0)),
                accepted: None,
                images_per_second: 1.0,
                data_wait_seconds: 0.0,
                step_seconds: 1.0,
            });
        }
        let accuracy = 0.9 + 0.02 * f64::from(round % 4);
        let global_step = u64::from((round + 1) * steps);
        history.scores.push(Scores {
            round,
            global_step,
            total: 100,
            accuracy,
            top5: None,
            loss: 0.1,
            ece: 0.02,
            calibrated: None,
        });
    }
    history
}

fn figures(classes: usize) -> Figures {
    let confusion = (0..classes as u32).flat_map(|class| {
        let other = (class * 3 + 1) % classes as u32;
        [((class, class), 90 + u64::from(class)), ((class, other), 5)]
    });
    let bin = |i: u64| Bin { total: i * i, confidence: (i as f64 + 0.5) / 15.0, accuracy: i as f64 / 16.0 };
    Figures {
        total: (0..15).map(|i| i * i).sum(),
        ece: 0.0312,
        bins: (0..15).map(bin).collect(),
        classes: (0..classes).map(|i| if i % 2 == 0 { format!("c{i}") } else { format!("Gelbspötter {i}") }).collect(),
        confusion: confusion.collect(),
        ..Figures::default()
    }
}

/// Width, height, and pixels of RGB.
fn read(path: &Path) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(io::BufReader::new(File::open(path).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}

fn shades(path: &Path, color: RGBColor) -> usize {
    read(path).2.chunks_exact(3).filter(|pixel| *pixel == [color.0, color.1, color.2]).count()
}

/// `MILLSTREAM_PLOTS` keeps the pictures, to be looked at.
#[test]
fn pictures_show_curves_bars_and_cells() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("MILLSTREAM_PLOTS").map_or(temporary.path().to_owned(), Into::into);
    draw(&folder, &history(3, 200), 2, Some(&figures(10))).unwrap();
    for (name, color, least) in [
        ("training.png", BLUE, 1000),
        ("training.png", ORANGE, 200),
        ("test_accuracy.png", BLUE, 500),
        ("reliability.png", BLUE, 5000),
        ("confusion.png", GRID, 1000),
    ] {
        let found = shades(&folder.join(name), color);
        assert!(found >= least, "{name} has {found} pixels of {color:?}");
        assert!(shades(&folder.join(name), RGBColor(0, 0, 0)) > 50, "{name} has letters");
    }
    let (width, height, _) = read(&folder.join("confusion.png"));
    assert_eq!((width, height), size_of(&figures(10)));
}

fn size_of(figures: &Figures) -> (u32, u32) {
    matrix::size(&figures.classes)
}

/// What is degenerate is drawn too, or left out, and never an error.
#[test]
fn little_and_much_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    draw(folder.path(), &History::default(), 0, None).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    draw(folder.path(), &history(1, 1), 0, Some(&figures(1))).unwrap();
    draw(folder.path(), &history(1, 1), 0, Some(&Figures::default())).unwrap();
    let mut wild = history(2, 3);
    wild.training[0].loss = Some(1e300);
    wild.training[1].loss = None;
    wild.training[2].loss = Some(0.0);
    wild.training.iter_mut().for_each(|point| point.accuracy = None);
    wild.scores[1].accuracy = 0.0;
    draw(folder.path(), &wild, 1, Some(&figures(100))).unwrap();
    fs::remove_file(folder.path().join("confusion.png")).unwrap();
    draw(folder.path(), &history(40, 2), 1, Some(&figures(101))).unwrap();
    assert!(!folder.path().join("confusion.png").exists(), "more than a hundred classes are no picture");
}
