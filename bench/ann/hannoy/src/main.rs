//! hannoy as an engine of `bench/ann/run`: build an index from an .fvecs file, then answer each line of
//! standard input, an ef, with one JSON line: every query searched once, in this process, one thread.
//!
//!     hannoy-bench BASE.fvecs QUERY.fvecs TRUTH.ivecs DIR ip|l2 EF_CONSTRUCTION COMMIT
//!
//! COMMIT is how many items go into one write transaction with one build; 0 is all of them. M is 16, and 32
//! on layer 0. A DIR that holds a finished index is searched as it is; the line about its build is kept in it.
//! `ip` is hannoy's Cosine on unit vectors: the same order. Searches hold one read
//! transaction and one Reader for all queries. No linear scan is allowed to stand in for the graph.

use std::error::Error;
use std::fs;
use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use hannoy::distances::{Cosine, Euclidean};
use hannoy::{Database, Distance, Reader, Writer};
use heed::{CommitOrAbort, Env, EnvOpenOptions};
use rand::rngs::StdRng;
use rand::SeedableRng;

const K: usize = 10;

struct Rows {
    dim: usize,
    values: Vec<u8>,
    count: usize,
}

impl Rows {
    /// Rows of a length and so many 4-byte values, as in .fvecs and .ivecs.
    fn read(path: &str) -> Result<Rows, Box<dyn Error>> {
        let bytes = fs::read(path)?;
        let dim = u32::from_le_bytes(bytes[..4].try_into()?) as usize;
        let row = 4 + dim * 4;
        let values = bytes.chunks_exact(row).flat_map(|r| r[4..].to_vec()).collect();
        Ok(Rows { dim, values, count: bytes.len() / row })
    }

    fn words(&self, at: usize) -> impl Iterator<Item = [u8; 4]> + '_ {
        let row = &self.values[at * self.dim * 4..(at + 1) * self.dim * 4];
        row.chunks_exact(4).map(|w| w.try_into().unwrap())
    }

    fn floats(&self) -> Vec<Vec<f32>> {
        (0..self.count).map(|i| self.words(i).map(f32::from_le_bytes).collect()).collect()
    }

    fn numbers(&self) -> Vec<Vec<u32>> {
        (0..self.count).map(|i| self.words(i).take(K).map(u32::from_le_bytes).collect()).collect()
    }
}

fn cpu_seconds() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// A figure of /proc/self/<file>, 0 when it is not there.
fn proc_figure(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    text.lines()
        .find_map(|l| l.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Build, and the line about it.
fn build<D: Distance>(
    env: &Env, db: Database<D>, base: &[Vec<f32>], ef_construction: usize, commit: usize, dir: &str,
) -> Result<String, Box<dyn Error>> {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let writer: Writer<D> = Writer::new(db, 0, base[0].len());
    let mut rng = StdRng::seed_from_u64(42);
    for (part, vectors) in base.chunks(commit).enumerate() {
        let mut wtxn = env.write_txn()?;
        for (i, vector) in vectors.iter().enumerate() {
            writer.add_item(&mut wtxn, (part * commit + i) as u32, vector)?;
        }
        writer.builder(&mut rng).ef_construction(ef_construction).build::<16, 32>(&mut wtxn)?;
        wtxn.commit()?;
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(format!(
        "{{\"phase\": \"build\", \"vectors\": {}, \"seconds\": {:.3}, \"cpu_seconds\": {:.3}, \"rate\": {:.0}, \
         \"disk_bytes\": {}, \"rss_bytes\": {}, \"written_bytes\": {}, \"threads\": 1, \"commit\": {}}}",
        base.len(), seconds, cpu_seconds() - cpu, base.len() as f64 / seconds,
        fs::metadata(Path::new(dir).join("data.mdb"))?.len(),
        proc_figure("status", "VmRSS:") * 1024, proc_figure("io", "wchar:"), commit
    ))
}

fn run<D: Distance>(args: &[String]) -> Result<(), Box<dyn Error>> {
    let (base, queries) = (Rows::read(&args[1])?.floats(), Rows::read(&args[2])?.floats());
    let truth = Rows::read(&args[3])?.numbers();
    let (ef_construction, commit): (usize, usize) = (args[6].parse()?, args[7].parse()?);
    let commit = if commit == 0 { base.len() } else { commit };

    fs::create_dir_all(&args[4])?;
    let env = unsafe { EnvOpenOptions::new().map_size(64 << 30).open(Path::new(&args[4]))? };
    let kept = Path::new(&args[4]).join("build.json");
    let wtxn = env.write_txn()?;
    let db: Database<D> = env
        .create_databases_and_commit(wtxn, |opener, wtxn| -> heed::Result<_> {
            opener.create_database(wtxn, None).map(CommitOrAbort::<_, ()>::Commit)
        })?
        .unwrap_commit();
    if !kept.exists() {
        fs::write(&kept, build(&env, db, &base, ef_construction, commit, &args[4])?)?;
    }
    println!("{}", fs::read_to_string(&kept)?);
    let rtxn = env.read_txn()?;
    let reader = Reader::<D>::open(&rtxn, 0, db)?;
    for line in std::io::stdin().lock().lines() {
        let ef: usize = line?.trim().parse()?;
        let (mut hits, start, cpu) = (0usize, Instant::now(), cpu_seconds());
        for (query, truth) in queries.iter().zip(&truth) {
            let mut nns = reader.nns(K);
            nns.ef_search(ef).linear_below(0).linear_below_ratio(0.0);
            let found = nns.by_vector(&rtxn, query)?.into_nns();
            hits += found.iter().filter(|(id, _)| truth.contains(id)).count();
        }
        let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        println!(
            "{{\"phase\": \"search\", \"ef\": {}, \"recall@10\": {:.4}, \"qps\": {:.1}, \"cpu_qps\": {:.1}}}",
            ef, hits as f64 / (queries.len() * K) as f64,
            queries.len() as f64 / seconds, queries.len() as f64 / cpu
        );
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    if args.len() != 8 {
        return Err("usage: hannoy-bench BASE QUERY TRUTH DIR ip|l2 EF_CONSTRUCTION COMMIT".into());
    }
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    match args[5].as_str() {
        "ip" => run::<Cosine>(&args),
        "l2" => run::<Euclidean>(&args),
        other => Err(format!("metric {other}? One of ip, l2").into()),
    }
}
