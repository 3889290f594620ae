// Serialises the data-plane messages with Apache Kafka's own classes: every version, known values, as hex.
//
//     java -cp kafka-clients-4.4.0.jar:slf4j-api.jar tests/golden/dataplane/Golden.java > tests/golden/dataplane/messages.txt
//
// Each line is: message, version, case, frame without its length (header and body). The cases are
//
// - least: no topics, nulls and defaults wherever they may be
// - full:  every field that the version has, with a value of its own
// - many:  arrays of 200 elements, whose compact length takes two bytes (first and last version alone)
//
// The values are repeated in rust/core/src/wire/tests, which compare both.

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.IntStream;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.record.internal.MemoryRecords;

public class Golden {
    static final Uuid ID_A = new Uuid(0x0102030405060708L, 0x090a0b0c0d0e0f10L);
    static final Uuid ID_B = new Uuid(0x1112131415161718L, 0x191a1b1c1d1e1f20L);
    static final Uuid DIRECTORY = new Uuid(0x2122232425262728L, 0x292a2b2c2d2e2f30L);
    static final String[] CASES = {"least", "full", "many"};

    interface Make { ApiMessage of(short version, String kind); }

    static MemoryRecords records(String text) {
        return MemoryRecords.readableRecords(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
    }

    static List<Integer> upTo(int end) {
        return IntStream.range(0, end).boxed().toList();
    }

    static void print(ApiKeys key, boolean isRequest, Make make) {
        short oldest = key.oldestVersion(), latest = key.latestVersion(true);
        for (short version = oldest; version <= latest; version++) {
            for (String kind : CASES) {
                if (kind.equals("many") && version != oldest && version != latest) continue;
                ApiMessage body = make.of(version, kind);
                if (body == null) continue;
                ApiMessage header = isRequest
                    ? new RequestHeaderData().setRequestApiKey(key.id).setRequestApiVersion(version).setCorrelationId(77)
                        .setClientId(kind.equals("least") ? null : "golden")
                    : new ResponseHeaderData().setCorrelationId(77);
                short headerVersion = isRequest ? key.requestHeaderVersion(version) : key.responseHeaderVersion(version);
                StringBuilder hex = new StringBuilder();
                for (ByteBuffer part : List.of(
                        MessageUtil.toByteBufferAccessor(header, headerVersion).buffer(),
                        MessageUtil.toByteBufferAccessor(body, version).buffer())) {
                    byte[] bytes = new byte[part.remaining()];
                    part.get(bytes);
                    hex.append(HexFormat.of().formatHex(bytes));
                }
                System.out.println(key.name + (isRequest ? "Request" : "Response") + " " + version + " " + kind + " " + hex);
            }
        }
    }

    static ApiMessage produceRequest(short version, String kind) {
        ProduceRequestData data = new ProduceRequestData().setAcks((short) -1).setTimeoutMs(1500);
        if (kind.equals("least")) return data;
        data.setTransactionalId("transactions");
        var a = new ProduceRequestData.TopicProduceData();
        var b = new ProduceRequestData.TopicProduceData();
        if (version >= 13) { a.setTopicId(ID_A); b.setTopicId(ID_B); } else { a.setName("alpha"); b.setName("beta"); }
        if (kind.equals("full")) {
            a.partitionData().add(new ProduceRequestData.PartitionProduceData().setIndex(0).setRecords(records("batch")));
            a.partitionData().add(new ProduceRequestData.PartitionProduceData().setIndex(7).setRecords(null));
            b.partitionData().add(new ProduceRequestData.PartitionProduceData().setIndex(3).setRecords(records("")));
        } else {
            for (int index : upTo(200)) {
                a.partitionData().add(new ProduceRequestData.PartitionProduceData().setIndex(index).setRecords(records("r")));
            }
        }
        data.topicData().add(a);
        data.topicData().add(b);
        return data;
    }

    static ApiMessage produceResponse(short version, String kind) {
        ProduceResponseData data = new ProduceResponseData();
        if (kind.equals("least")) return data;
        data.setThrottleTimeMs(250);
        var a = new ProduceResponseData.TopicProduceResponse();
        var b = new ProduceResponseData.TopicProduceResponse();
        if (version >= 13) { a.setTopicId(ID_A); b.setTopicId(ID_B); } else { a.setName("alpha"); b.setName("beta"); }
        if (kind.equals("full")) {
            var good = new ProduceResponseData.PartitionProduceResponse().setIndex(1).setErrorCode((short) 0)
                .setBaseOffset(1001).setLogAppendTimeMs(1002);
            if (version >= 5) good.setLogStartOffset(1003);
            a.partitionResponses().add(good);
            var bad = new ProduceResponseData.PartitionProduceResponse().setIndex(2).setErrorCode((short) 87)
                .setBaseOffset(-1).setLogAppendTimeMs(-1);
            if (version >= 5) bad.setLogStartOffset(5);
            if (version >= 8) {
                bad.setErrorMessage("two records are bad");
                bad.recordErrors().add(new ProduceResponseData.BatchIndexAndErrorMessage().setBatchIndex(4).setBatchIndexErrorMessage("no key"));
                bad.recordErrors().add(new ProduceResponseData.BatchIndexAndErrorMessage().setBatchIndex(5).setBatchIndexErrorMessage(null));
            }
            a.partitionResponses().add(bad);
            var moved = new ProduceResponseData.PartitionProduceResponse().setIndex(0).setErrorCode((short) 6).setBaseOffset(-1);
            if (version >= 10) {
                moved.setCurrentLeader(new ProduceResponseData.LeaderIdAndEpoch().setLeaderId(11).setLeaderEpoch(12));
                data.nodeEndpoints().add(new ProduceResponseData.NodeEndpoint().setNodeId(11).setHost("host-11").setPort(9093).setRack("rack-1"));
                data.nodeEndpoints().add(new ProduceResponseData.NodeEndpoint().setNodeId(13).setHost("host-13").setPort(9094).setRack(null));
            }
            b.partitionResponses().add(moved);
        } else {
            for (int index : upTo(200)) {
                a.partitionResponses().add(new ProduceResponseData.PartitionProduceResponse().setIndex(index).setBaseOffset(index));
            }
        }
        data.responses().add(a);
        data.responses().add(b);
        return data;
    }

    static ApiMessage fetchRequest(short version, String kind) {
        FetchRequestData data = new FetchRequestData();
        if (kind.equals("least")) return data;
        if (version < 15) data.setReplicaId(5);
        else data.setReplicaState(new FetchRequestData.ReplicaState().setReplicaId(5).setReplicaEpoch(6));
        data.setMaxWaitMs(500).setMinBytes(2).setMaxBytes(3000).setIsolationLevel((byte) 1);
        if (version >= 7) data.setSessionId(8).setSessionEpoch(9);
        if (version >= 11) data.setRackId("rack-9");
        if (version >= 12) data.setClusterId("cluster-1");
        var a = new FetchRequestData.FetchTopic();
        var b = new FetchRequestData.FetchTopic();
        var gone = new FetchRequestData.ForgottenTopic().setPartitions(List.of(3, 1));
        if (version >= 13) { a.setTopicId(ID_A); b.setTopicId(ID_B); gone.setTopicId(ID_B); }
        else { a.setTopic("alpha"); b.setTopic("beta"); gone.setTopic("beta"); }
        if (kind.equals("full")) {
            var partition = new FetchRequestData.FetchPartition().setPartition(1).setFetchOffset(101).setPartitionMaxBytes(102);
            if (version >= 9) partition.setCurrentLeaderEpoch(103);
            if (version >= 12) partition.setLastFetchedEpoch(104);
            if (version >= 5) partition.setLogStartOffset(105);
            if (version >= 17) partition.setReplicaDirectoryId(DIRECTORY);
            if (version >= 18) partition.setHighWatermark(106);
            a.partitions().add(partition);
            a.partitions().add(new FetchRequestData.FetchPartition().setPartition(2).setFetchOffset(201).setPartitionMaxBytes(202));
        } else {
            for (int index : upTo(200)) {
                a.partitions().add(new FetchRequestData.FetchPartition().setPartition(index).setFetchOffset(index).setPartitionMaxBytes(1));
            }
        }
        data.topics().add(a);
        data.topics().add(b);
        if (version >= 7) data.forgottenTopicsData().add(gone);
        return data;
    }

    static ApiMessage fetchResponse(short version, String kind) {
        FetchResponseData data = new FetchResponseData();
        if (kind.equals("least")) return data;
        data.setThrottleTimeMs(250);
        if (version >= 7) data.setErrorCode((short) 71).setSessionId(8);
        var a = new FetchResponseData.FetchableTopicResponse();
        var b = new FetchResponseData.FetchableTopicResponse();
        if (version >= 13) { a.setTopicId(ID_A); b.setTopicId(ID_B); } else { a.setTopic("alpha"); b.setTopic("beta"); }
        if (kind.equals("full")) {
            var full = new FetchResponseData.PartitionData().setPartitionIndex(1).setHighWatermark(101).setLastStableOffset(102)
                .setRecords(records("some records"))
                .setAbortedTransactions(List.of(
                    new FetchResponseData.AbortedTransaction().setProducerId(103).setFirstOffset(104),
                    new FetchResponseData.AbortedTransaction().setProducerId(105).setFirstOffset(106)));
            if (version >= 5) full.setLogStartOffset(107);
            if (version >= 11) full.setPreferredReadReplica(108);
            a.partitions().add(full);
            var moved = new FetchResponseData.PartitionData().setPartitionIndex(2).setErrorCode((short) 6).setHighWatermark(-1)
                .setAbortedTransactions(null).setRecords(records(""));
            if (version >= 12) {
                moved.setDivergingEpoch(new FetchResponseData.EpochEndOffset().setEpoch(201).setEndOffset(202));
                moved.setCurrentLeader(new FetchResponseData.LeaderIdAndEpoch().setLeaderId(203).setLeaderEpoch(204));
                moved.setSnapshotId(new FetchResponseData.SnapshotId().setEndOffset(205).setEpoch(206));
            }
            a.partitions().add(moved);
            b.partitions().add(new FetchResponseData.PartitionData().setPartitionIndex(0).setHighWatermark(301)
                .setAbortedTransactions(List.of()).setRecords(null));
            b.partitions().add(new FetchResponseData.PartitionData().setPartitionIndex(4).setHighWatermark(401)
                .setAbortedTransactions(null).setRecords(records("more")));
            if (version >= 16) {
                data.nodeEndpoints().add(new FetchResponseData.NodeEndpoint().setNodeId(203).setHost("host-203").setPort(9093).setRack(null));
            }
        } else {
            for (int index : upTo(200)) {
                a.partitions().add(new FetchResponseData.PartitionData().setPartitionIndex(index).setHighWatermark(index)
                    .setAbortedTransactions(null).setRecords(records("r".repeat(index % 3))));
            }
        }
        data.responses().add(a);
        data.responses().add(b);
        return data;
    }

    static ApiMessage listOffsetsRequest(short version, String kind) {
        ListOffsetsRequestData data = new ListOffsetsRequestData().setReplicaId(-1);
        if (kind.equals("least")) return data;
        if (version >= 2) data.setIsolationLevel((byte) 1);
        if (version >= 10) data.setTimeoutMs(1234);
        var a = new ListOffsetsRequestData.ListOffsetsTopic().setName("alpha");
        for (int index : upTo(kind.equals("full") ? 2 : 200)) {
            var partition = new ListOffsetsRequestData.ListOffsetsPartition().setPartitionIndex(index).setTimestamp(-2 + index);
            if (version >= 4) partition.setCurrentLeaderEpoch(100 + index);
            a.partitions().add(partition);
        }
        data.topics().add(a);
        data.topics().add(new ListOffsetsRequestData.ListOffsetsTopic().setName("beta"));
        return data;
    }

    static ApiMessage listOffsetsResponse(short version, String kind) {
        ListOffsetsResponseData data = new ListOffsetsResponseData();
        if (kind.equals("least")) return data;
        if (version >= 2) data.setThrottleTimeMs(250);
        var a = new ListOffsetsResponseData.ListOffsetsTopicResponse().setName("alpha");
        for (int index : upTo(kind.equals("full") ? 2 : 200)) {
            var partition = new ListOffsetsResponseData.ListOffsetsPartitionResponse().setPartitionIndex(index)
                .setErrorCode((short) (index == 1 ? 78 : 0)).setTimestamp(1000 + index).setOffset(2000 + index);
            if (version >= 4) partition.setLeaderEpoch(100 + index);
            a.partitions().add(partition);
        }
        data.topics().add(a);
        data.topics().add(new ListOffsetsResponseData.ListOffsetsTopicResponse().setName("beta"));
        return data;
    }

    static ApiMessage epochRequest(short version, String kind) {
        OffsetForLeaderEpochRequestData data = new OffsetForLeaderEpochRequestData();
        if (kind.equals("least")) return data;
        if (version >= 3) data.setReplicaId(4);
        var a = new OffsetForLeaderEpochRequestData.OffsetForLeaderTopic().setTopic("alpha");
        for (int index : upTo(kind.equals("full") ? 2 : 200)) {
            a.partitions().add(new OffsetForLeaderEpochRequestData.OffsetForLeaderPartition().setPartition(index)
                .setCurrentLeaderEpoch(100 + index).setLeaderEpoch(200 + index));
        }
        data.topics().add(a);
        data.topics().add(new OffsetForLeaderEpochRequestData.OffsetForLeaderTopic().setTopic("beta"));
        return data;
    }

    static ApiMessage epochResponse(short version, String kind) {
        OffsetForLeaderEpochResponseData data = new OffsetForLeaderEpochResponseData();
        if (kind.equals("least")) return data;
        data.setThrottleTimeMs(250);
        var a = new OffsetForLeaderEpochResponseData.OffsetForLeaderTopicResult().setTopic("alpha");
        for (int index : upTo(kind.equals("full") ? 2 : 200)) {
            a.partitions().add(new OffsetForLeaderEpochResponseData.EpochEndOffset().setErrorCode((short) (index == 1 ? 74 : 0))
                .setPartition(index).setLeaderEpoch(200 + index).setEndOffset(3000 + index));
        }
        data.topics().add(a);
        data.topics().add(new OffsetForLeaderEpochResponseData.OffsetForLeaderTopicResult().setTopic("beta"));
        return data;
    }

    static ApiMessage findCoordinatorRequest(short version, String kind) {
        FindCoordinatorRequestData data = new FindCoordinatorRequestData();
        boolean least = kind.equals("least");
        if (version >= 1 && !least) data.setKeyType((byte) 1);
        if (version < 4) return data.setKey(least ? "" : "alpha");
        if (least) return data;
        if (kind.equals("full")) return data.setCoordinatorKeys(List.of("alpha", "größe"));
        return data.setCoordinatorKeys(upTo(200).stream().map(index -> "group-" + index).toList());
    }

    static ApiMessage findCoordinatorResponse(short version, String kind) {
        FindCoordinatorResponseData data = new FindCoordinatorResponseData();
        boolean least = kind.equals("least");
        if (version >= 1 && !least) data.setThrottleTimeMs(250);
        if (version < 4) {
            if (least) return data.setErrorMessage(null);
            if (version >= 1) data.setErrorMessage("not available");
            return data.setErrorCode((short) 15).setNodeId(7).setHost("host-7").setPort(9092);
        }
        for (int index = 0; index < (least ? 0 : kind.equals("many") ? 200 : 1); index++)
            data.coordinators().add(new FindCoordinatorResponseData.Coordinator().setKey("group-" + index).setNodeId(7 + index)
                .setHost("host-7").setPort(9092).setErrorCode((short) 15).setErrorMessage("not available"));
        return data;
    }

    static ApiMessage offsetCommitRequest(short version, String kind) {
        OffsetCommitRequestData data = new OffsetCommitRequestData();
        if (kind.equals("least")) return data;
        data.setGroupId("workers").setGenerationIdOrMemberEpoch(41).setMemberId("member-1");
        if (version >= 7) data.setGroupInstanceId("instance-1");
        if (version <= 4) data.setRetentionTimeMs(86_400_000L);
        var a = new OffsetCommitRequestData.OffsetCommitRequestTopic();
        var b = new OffsetCommitRequestData.OffsetCommitRequestTopic();
        if (version >= 10) { a.setTopicId(ID_A); b.setTopicId(ID_B); } else { a.setName("alpha"); b.setName("beta"); }
        if (kind.equals("full")) {
            var first = new OffsetCommitRequestData.OffsetCommitRequestPartition().setPartitionIndex(0).setCommittedOffset(1001)
                .setCommittedMetadata("größe");
            if (version >= 6) first.setCommittedLeaderEpoch(12);
            a.partitions().add(first);
            a.partitions().add(new OffsetCommitRequestData.OffsetCommitRequestPartition().setPartitionIndex(7)
                .setCommittedOffset(Long.MAX_VALUE).setCommittedMetadata(null));
            b.partitions().add(new OffsetCommitRequestData.OffsetCommitRequestPartition().setPartitionIndex(3)
                .setCommittedOffset(-1).setCommittedMetadata(""));
        } else for (int index : upTo(200)) {
            a.partitions().add(new OffsetCommitRequestData.OffsetCommitRequestPartition().setPartitionIndex(index)
                .setCommittedOffset(3000 + index).setCommittedMetadata("m"));
        }
        data.topics().add(a);
        data.topics().add(b);
        return data;
    }

    static ApiMessage offsetCommitResponse(short version, String kind) {
        OffsetCommitResponseData data = new OffsetCommitResponseData();
        if (kind.equals("least")) return data;
        if (version >= 3) data.setThrottleTimeMs(250);
        var a = new OffsetCommitResponseData.OffsetCommitResponseTopic();
        var b = new OffsetCommitResponseData.OffsetCommitResponseTopic();
        if (version >= 10) { a.setTopicId(ID_A); b.setTopicId(ID_B); } else { a.setName("alpha"); b.setName("beta"); }
        for (int index : upTo(kind.equals("full") ? 2 : 200)) {
            a.partitions().add(new OffsetCommitResponseData.OffsetCommitResponsePartition().setPartitionIndex(index)
                .setErrorCode((short) (index == 1 ? 27 : 0)));
        }
        data.topics().add(a);
        data.topics().add(b);
        return data;
    }

    static ApiMessage offsetFetchRequest(short version, String kind) {
        OffsetFetchRequestData data = new OffsetFetchRequestData();
        boolean least = kind.equals("least");
        if (version >= 7 && !least) data.setRequireStable(true);
        if (version < 8) {
            if (least) return version >= 2 ? data.setTopics(null) : data;
            data.setGroupId("workers");
            data.topics().add(new OffsetFetchRequestData.OffsetFetchRequestTopic().setName("alpha")
                .setPartitionIndexes(kind.equals("full") ? List.of(0, 7) : upTo(200)));
            data.topics().add(new OffsetFetchRequestData.OffsetFetchRequestTopic().setName("beta"));
            return data;
        }
        if (least) return data;
        var workers = new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId("workers");
        if (version >= 9) workers.setMemberId("member-1").setMemberEpoch(41);
        var a = new OffsetFetchRequestData.OffsetFetchRequestTopics().setPartitionIndexes(kind.equals("full") ? List.of(0, 7) : upTo(200));
        var b = new OffsetFetchRequestData.OffsetFetchRequestTopics();
        if (version >= 10) { a.setTopicId(ID_A); b.setTopicId(ID_B); } else { a.setName("alpha"); b.setName("beta"); }
        workers.topics().add(a);
        workers.topics().add(b);
        data.groups().add(workers);
        data.groups().add(new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId("group-empty"));
        for (int index : upTo(kind.equals("full") ? 1 : 200)) {
            data.groups().add(new OffsetFetchRequestData.OffsetFetchRequestGroup().setGroupId("group-" + index).setTopics(null));
        }
        return data;
    }

    static ApiMessage offsetFetchResponse(short version, String kind) {
        OffsetFetchResponseData data = new OffsetFetchResponseData();
        if (kind.equals("least")) return data;
        if (version >= 3) data.setThrottleTimeMs(250);
        if (version < 8) {
            if (version >= 2) data.setErrorCode((short) 14);
            var a = new OffsetFetchResponseData.OffsetFetchResponseTopic().setName("alpha");
            for (int index : upTo(kind.equals("full") ? 2 : 200)) {
                var partition = new OffsetFetchResponseData.OffsetFetchResponsePartition().setPartitionIndex(index)
                    .setCommittedOffset(3000 + index).setMetadata(index == 0 ? "größe" : null).setErrorCode((short) (index == 1 ? 88 : 0));
                if (version >= 5) partition.setCommittedLeaderEpoch(200 + index);
                a.partitions().add(partition);
            }
            data.topics().add(a);
            data.topics().add(new OffsetFetchResponseData.OffsetFetchResponseTopic().setName("beta"));
            return data;
        }
        var a = new OffsetFetchResponseData.OffsetFetchResponseTopics();
        var b = new OffsetFetchResponseData.OffsetFetchResponseTopics();
        if (version >= 10) { a.setTopicId(ID_A); b.setTopicId(ID_B); } else { a.setName("alpha"); b.setName("beta"); }
        for (int index : upTo(kind.equals("full") ? 2 : 200)) {
            a.partitions().add(new OffsetFetchResponseData.OffsetFetchResponsePartitions().setPartitionIndex(index)
                .setCommittedOffset(3000 + index).setCommittedLeaderEpoch(200 + index).setMetadata(index == 0 ? "größe" : null)
                .setErrorCode((short) (index == 1 ? 88 : 0)));
        }
        var workers = new OffsetFetchResponseData.OffsetFetchResponseGroup().setGroupId("workers").setErrorCode((short) 14);
        workers.topics().add(a);
        workers.topics().add(b);
        data.groups().add(workers);
        for (int index : upTo(kind.equals("full") ? 1 : 200)) {
            data.groups().add(new OffsetFetchResponseData.OffsetFetchResponseGroup().setGroupId("group-" + index).setErrorCode((short) 69));
        }
        return data;
    }

    static ApiMessage metadataRequest(short version, String kind) {
        MetadataRequestData data = new MetadataRequestData();
        if (kind.equals("least")) return version >= 1 ? data.setTopics(null) : data;
        if (version >= 4) data.setAllowAutoTopicCreation(false);
        if (version >= 8 && version <= 10) data.setIncludeClusterAuthorizedOperations(true);
        if (version >= 8) data.setIncludeTopicAuthorizedOperations(true);
        for (int index : upTo(kind.equals("full") ? 2 : 200)) {
            data.topics().add(new MetadataRequestData.MetadataRequestTopic().setName("topic-" + index));
        }
        if (version >= 10) data.topics().add(new MetadataRequestData.MetadataRequestTopic().setTopicId(ID_A).setName(null));
        return data;
    }

    static ApiMessage metadataResponse(short version, String kind) {
        MetadataResponseData data = new MetadataResponseData();
        if (kind.equals("least")) return data;
        if (version >= 3) data.setThrottleTimeMs(250);
        data.brokers().add(new MetadataResponseData.MetadataResponseBroker().setNodeId(1).setHost("host-1").setPort(9092).setRack(null));
        var second = new MetadataResponseData.MetadataResponseBroker().setNodeId(2).setHost("host-2").setPort(9093);
        if (version >= 1) second.setRack("rack-2");
        data.brokers().add(second);
        if (version >= 2) data.setClusterId("cluster-1");
        if (version >= 1) data.setControllerId(2);
        var a = new MetadataResponseData.MetadataResponseTopic().setName("alpha");
        if (version >= 10) a.setTopicId(ID_A);
        if (version >= 1) a.setIsInternal(true);
        if (version >= 8) a.setTopicAuthorizedOperations(264);
        for (int index : upTo(kind.equals("full") ? 2 : 200)) {
            var partition = new MetadataResponseData.MetadataResponsePartition().setPartitionIndex(index).setLeaderId(1)
                .setReplicaNodes(List.of(1, 2)).setIsrNodes(List.of(1)).setErrorCode((short) (index == 1 ? 5 : 0));
            if (version >= 7) partition.setLeaderEpoch(100 + index);
            if (version >= 5) partition.setOfflineReplicas(List.of(2));
            a.partitions().add(partition);
        }
        data.topics().add(a);
        var b = new MetadataResponseData.MetadataResponseTopic().setErrorCode((short) 3).setName("beta");
        data.topics().add(b);
        if (version >= 12) {
            data.topics().add(new MetadataResponseData.MetadataResponseTopic().setErrorCode((short) 100).setName(null).setTopicId(ID_B));
        }
        if (version >= 8 && version <= 10) data.setClusterAuthorizedOperations(3400);
        if (version >= 13) data.setErrorCode((short) 129);
        return data;
    }

    static ApiMessage apiVersionsRequest(short version, String kind) {
        ApiVersionsRequestData data = new ApiVersionsRequestData();
        if (kind.equals("least")) return data;
        if (kind.equals("many")) return null;
        if (version >= 3) data.setClientSoftwareName("golden-client").setClientSoftwareVersion("4.4.0");
        if (version >= 5) data.setClusterId("cluster-1").setNodeId(3);
        return data;
    }

    static ApiMessage apiVersionsResponse(short version, String kind) {
        ApiVersionsResponseData data = new ApiVersionsResponseData();
        if (kind.equals("least")) return data;
        for (int index : upTo(kind.equals("full") ? 3 : 200)) {
            data.apiKeys().add(new ApiVersionsResponseData.ApiVersion().setApiKey((short) index).setMinVersion((short) 1)
                .setMaxVersion((short) (10 + index)));
        }
        if (kind.equals("full")) data.setErrorCode((short) 35);
        if (version >= 1) data.setThrottleTimeMs(250);
        if (version >= 3) {
            if (version >= 4) {
                data.supportedFeatures().add(new ApiVersionsResponseData.SupportedFeatureKey().setName("from.zero").setMinVersion((short) 0).setMaxVersion((short) 3));
            }
            data.supportedFeatures().add(new ApiVersionsResponseData.SupportedFeatureKey().setName("from.one").setMinVersion((short) 1).setMaxVersion((short) 4));
            data.setFinalizedFeaturesEpoch(99);
            data.finalizedFeatures().add(new ApiVersionsResponseData.FinalizedFeatureKey().setName("from.one").setMaxVersionLevel((short) 3).setMinVersionLevel((short) 2));
        }
        return data;
    }

    public static void main(String[] arguments) {
        print(ApiKeys.PRODUCE, true, Golden::produceRequest);
        print(ApiKeys.PRODUCE, false, Golden::produceResponse);
        print(ApiKeys.FETCH, true, Golden::fetchRequest);
        print(ApiKeys.FETCH, false, Golden::fetchResponse);
        print(ApiKeys.LIST_OFFSETS, true, Golden::listOffsetsRequest);
        print(ApiKeys.LIST_OFFSETS, false, Golden::listOffsetsResponse);
        print(ApiKeys.METADATA, true, Golden::metadataRequest);
        print(ApiKeys.METADATA, false, Golden::metadataResponse);
        print(ApiKeys.OFFSET_FOR_LEADER_EPOCH, true, Golden::epochRequest);
        print(ApiKeys.OFFSET_FOR_LEADER_EPOCH, false, Golden::epochResponse);
        print(ApiKeys.FIND_COORDINATOR, true, Golden::findCoordinatorRequest);
        print(ApiKeys.FIND_COORDINATOR, false, Golden::findCoordinatorResponse);
        print(ApiKeys.OFFSET_COMMIT, true, Golden::offsetCommitRequest);
        print(ApiKeys.OFFSET_COMMIT, false, Golden::offsetCommitResponse);
        print(ApiKeys.OFFSET_FETCH, true, Golden::offsetFetchRequest);
        print(ApiKeys.OFFSET_FETCH, false, Golden::offsetFetchResponse);
        print(ApiKeys.API_VERSIONS, true, Golden::apiVersionsRequest);
        print(ApiKeys.API_VERSIONS, false, Golden::apiVersionsResponse);
    }
}
