//! How RocksDB is tuned.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, LogLevel, Options};

/// Background threads for flushes and compactions: four nodes may share two cores.
const BACKGROUND_JOBS: i32 = 2;
/// What all columns together may hold unflushed. Beyond some tens of MiB a bigger one only makes flushes rarer.
const WRITE_BUFFER_BYTES: usize = 64 << 20;
/// Bounds what a restart reads again when a quiet column holds an old log back.
const MAX_WAL_BYTES: u64 = 256 << 20;
/// 10 bits: one false positive in a hundred, RocksDB's usual measure.
const BLOOM_BITS_PER_KEY: f64 = 10.0;
/// RocksDB's own log files that are kept.
const INFO_LOGS: usize = 2;
/// Open files of one node; 4 nodes stay far below the usual limit of 1,024 per process each.
const MAX_OPEN_FILES: i32 = 512;

/// For the whole database.
pub(crate) fn database_options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // A torn tail of the log is what a power cut leaves; anything before it must be whole.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_paranoid_checks(true);
    options.set_max_background_jobs(BACKGROUND_JOBS);
    options.set_db_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_total_wal_size(MAX_WAL_BYTES);
    options.set_max_open_files(MAX_OPEN_FILES);
    options.set_keep_log_file_num(INFO_LOGS);
    options.set_log_level(LogLevel::Warn);
    options
}

/// For each column; they share the cache of blocks.
pub(crate) fn column_options(cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options
}
