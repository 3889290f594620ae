//! Limits on what the outside may ask for, each with its reason.

/// The largest frame a client may send: Kafka's default of `socket.request.max.bytes`.
pub const FRAME_BYTES_MAX: usize = 104_857_600;

/// The most elements that one array of a request may claim. Kafka's own decoder refuses what the bytes left cannot
/// hold; a fixed bound beside it keeps zero-width elements from asking for gigabytes.
pub const ARRAY_ELEMENTS_MAX: usize = 1_000_000;

/// The most elements that all arrays of a message may have together: what a cluster of hundreds of thousands of partitions
/// takes to describe. As many bytes as a frame may have would otherwise become gigabytes of objects.
pub const MESSAGE_ELEMENTS_MAX: usize = 4_000_000;

/// The most tagged fields that one struct may carry, as Kafka 4.4 limits them.
pub const TAGGED_FIELDS_MAX: usize = 10_000;

/// The largest record after decompression: Kafka's default of `max.decompressed.message.bytes`.
pub const DECOMPRESSED_BYTES_MAX: usize = 104_857_600;

/// Requests of one connection that may wait for an answer at a time; reading stops beyond. Clients keep at most five
/// produce requests in flight; more only help a client that would fill our memory.
pub const IN_FLIGHT_PER_CONNECTION_MAX: usize = 64;

/// How many batches per producer and partition are remembered, to recognise repeats (KIP-98).
pub const PRODUCER_BATCHES_REMEMBERED: usize = 5;
