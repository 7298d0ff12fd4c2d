#![allow(missing_docs, clippy::all, clippy::print_stdout)]
use millstream_data::*; use millstream_train::*; use std::time::Instant;
fn batch(px: &[u8], lb: &[u8], labelled: usize) -> Batch {
    Batch { shape: Shape{height:28,width:28,channels:1}, pixels: px.to_vec(), rows: lb.iter().enumerate().map(|(i,l)| Row{record:0,key:Key(0),target:Target::Hard(*l as u32),labelled:i<labelled}).collect() }
}
fn main() {
    let cfg = |seed| SessionConfig{seed,classes:(0..10).map(|c|c.to_string()).collect(),shape:Shape{height:28,width:28,channels:1},mean:vec![0.1307],std:vec![0.3081],device:Device::Cpu,threads:2};
    let round = |w,steps,drop| RoundConfig{model:ModelKind::SmallNet{width:w,dropout:drop},steps,optimizer:OptimizerKind::Sgd{lr:0.1,momentum:0.9,nesterov:true,weight_decay:5e-4},schedule:ScheduleKind::OneCycle{warmup:0.25},label_smoothing:0.1,ema:Some(0.99),unlabelled_weight:3.0};
    let d = |n: &str| std::fs::read(format!("/tmp/trainlab/{n}.bin")).unwrap();
    let (xt,yt)=(d("xt"),d("yt"));
    println!("{:?}", probe());
    if std::env::args().nth(1).as_deref()!=Some("bench") {
    for seed in 1..4u64 { for drop in [0.0,0.2] {
        let (px,lb)=(d(&format!("px{seed}")),d(&format!("lb{seed}")));
        let mut s=Session::new(cfg(seed)).unwrap(); s.begin(0,&round(16,400,drop)).unwrap(); let t=Instant::now();
        let mut last=StepMetrics::default();
        for k in 0..400 { last=s.step(k,&batch(&px[k as usize*64*784..][..64*784],&lb[k as usize*64..][..64],64)).unwrap(); }
        let train=t.elapsed(); let mut ok=0; let t=Instant::now();
        for (x,y) in xt.chunks(256*784).zip(yt.chunks(256)) { let p=s.predict(&batch(x,y,0)).unwrap(); for (q,y) in p.chunks(10).zip(y) { let b=(0..10).max_by(|a,b| q[*a].total_cmp(&q[*b])).unwrap(); if b==*y as usize {ok+=1} } }
        println!("seed {seed} drop {drop} acc {:.2} loss {:.3} train {:?} predict {:?}", ok as f64*100.0/yt.len() as f64, last.loss, train, t.elapsed());
    }}}
    for w in [16,20,24,28,32] {
        let mut s=Session::new(cfg(1)).unwrap(); s.begin(0,&round(w,600,0.0)).unwrap();
        let b=batch(&xt[..256*784],&yt[..256],64); let mut ts=vec![];
        for k in 0..40 { let t=Instant::now(); s.step(k,&b).unwrap(); ts.push(t.elapsed().as_secs_f64()*1e3); }
        let mut ts=ts[5..].to_vec(); ts.sort_by(f64::total_cmp); println!("w {w} step min {:.1} med {:.1} ms", ts[0], ts[ts.len()/2]);
        let mut ts=vec![]; for _ in 0..10 { let t=Instant::now(); s.predict(&b).unwrap(); ts.push(t.elapsed().as_secs_f64()*1e3);} ts.sort_by(f64::total_cmp); println!("   predict min {:.1}", ts[0]);
    }
}
