// A queue on a real spool, store and SQLite file in a fresh folder, with keys of its own and a fake next hop.
// For the tests of features/gateway.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/spool/spool_writer.h"
#include "fakes/smtp_server.h"
#include "features/gateway/queue/queue.h"
#include "features/gateway/queue/story.h"
#include "formats/sealed/box.h"
#include "platform/blobs/files/file_blobs.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/x25519.h"

namespace mailhold::queue {

inline Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

// Every key is a hash of what it is for, so that any process of the test finds the same.
class DerivedKeys final : public store::StoreKeys {
 public:
  std::atomic<bool> away{false};
  Result<store::EpochKey> day_key(Id tenant, store::Epoch epoch, const Deadline&) override {
    if (away) return Error{ErrorKind::unavailable, "keyd is away"};
    return store::EpochKey{1, key(tenant, "day" + std::to_string(epoch))};
  }
  Result<store::EpochKey> day_key(Id tenant, store::Epoch epoch, std::uint32_t, const Deadline& deadline) override {
    return day_key(tenant, epoch, deadline);  // there is one version
  }
  Result<SecretText> token_key(Id tenant, const Deadline&) override { return key(tenant, "token"); }
  Result<store::EpochKey> trace_key(Id tenant, const Deadline&) override { return store::EpochKey{1, key(tenant, "trace")}; }

 private:
  static SecretText key(Id tenant, const std::string& name) {
    return SecretText::take(crypto::sha256(std::string(tenant.bytes()) + name));
  }
};

class QueueFixture : public testing::Test {
 protected:
  QueueFixture() {
    std::string pattern = testing::TempDir() + "/queue-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    for (const char* name : {"spool", "store", "trace"}) std::filesystem::create_directories(folder / name);
    settings.region = "test";
    settings.our_name = "us.example";
    settings.commit_pause = std::chrono::milliseconds(1);
    settings.due_pause = std::chrono::milliseconds(0);
    settings.unhinted_scan = std::chrono::milliseconds(20);
    settings.notices = NoticesGo::by_tenant_route;
    settings.delivery.rest = std::chrono::milliseconds(0);
    settings.delivery.session_idle = std::chrono::milliseconds(200);
    open_writer();
    set_route();
  }
  ~QueueFixture() override {
    close();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  void open_writer() {
    writer.reset();
    segments::SegmentSettings segment_settings;
    segment_settings.folder = folder / "spool";
    segment_settings.segment_bytes = segment_bytes;
    segment_settings.file_mode = 0640;
    writer = *spool::SpoolWriter::open(segment_settings, "test", [this](Id) -> Result<spool::SpoolPublicKey> {
      return spool::SpoolPublicKey{1, pair.public_key};
    });
  }

  // The queue as after a start of its process.
  void open(bool start = true) {
    close();
    reader = std::make_unique<spool::SpoolReader>(
        folder / "spool", "test",
        [this](Id, std::uint32_t, std::string_view box, std::string_view context) -> Result<SecretText> {
          if (keys.away) return Error{ErrorKind::unavailable, "keyd is away"};
          ASSIGN_OR_RETURN(const sealed::Context parsed, sealed::Context::parse(context));
          return sealed::open_box(pair.private_key.reveal(), parsed, box);
        });
    records = *records::open("sqlite:" + (folder / "gateway.db").string(), soon());
    blobs = *blobs::FileBlobs::open(folder / "blobs");
    store::StoreSettings store_settings;
    store_settings.folder = folder / "store";
    store_settings.region = "test";
    store = *store::MessageStore::open(store_settings, *records, *blobs, keys);
    trace = *store::TraceLog::open(folder / "trace", "test", keys);
    outbound::OutboundSettings outbound_settings;
    outbound_settings.our_name = "us.example";
    outbound_settings.allowed_networks = *net::Networks::parse("127.0.0.0/8");
    opener = outbound::make_opener(outbound_settings, nullptr, {});
    queue = *Queue::open(settings, {*reader, *store, *trace, *records, keys, *opener, *clock}, soon());
    queue->set_routes(table);
    if (start) queue->start();
  }
  void close() {
    if (queue) queue->stop(std::chrono::seconds(5));
    queue.reset();
    opener.reset();
    trace.reset();
    store.reset();
    blobs.reset();
    records.reset();
    reader.reset();
  }

  void set_route() {
    table.version += 1;
    access::Route route;
    route.id = route_id;
    route.tenant = tenant;
    route.kind = access::RouteKind::relay;
    route.host = "127.0.0.1";
    route.port = server.port();
    route.tls = access::RouteTls::none;
    table.routes = {route};
    table.defaults = {{tenant, route_id}};
  }

  struct Sent {
    std::vector<std::string> to = {"bob@b.example"};
    std::string from = "ann@a.example";
    std::string subject = "hello";
    std::string body = {};
    gateway::Disposition disposition = gateway::Disposition::deliver;
  };
  static std::string body_of(const Sent& sent, Id id) {
    return "From: ann@a.example\r\nSubject: " + sent.subject + "\r\nX-Id: " + id.text() + "\r\n\r\n" + sent.body + "text of " +
           id.text() + "\r\n";
  }
  Id accept(const Sent& sent) {
    gateway::AcceptedMessage head;
    head.message = Id::random();
    head.tenant = tenant;
    head.accepted_at = clock->now();
    head.client_ip = "192.0.2.7";
    head.helo = "client.example";
    head.mail_from = sent.from;
    head.rcpt_to = sent.to;
    head.disposition = sent.disposition;
    head.subject = sent.subject;
    head.header_from = "ann@a.example";
    head.scanned = true;
    head.reasons = {{"test", "a reason of the test"}};
    if (sent.disposition == gateway::Disposition::held) head.held_for = "virus";
    const std::string body = sent.disposition == gateway::Disposition::rejected ? std::string() : body_of(sent, head.message);
    head.size = body.size();
    const auto location =
        writer->append_and_wait({head.message, tenant, head.accepted_at, gateway::write_accepted(head), body}, soon());
    EXPECT_TRUE(location);
    if (queue) queue->spooled(writer->watermark());
    return head.message;
  }
  Id accept() { return accept(Sent{}); }

  // Looks until it holds, or ten seconds are over.
  template <class Condition>
  static bool comes_true(Condition condition) {
    for (int i = 0; i < 1000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  std::uint64_t waiting() { return queue->counts(soon())->waiting; }
  std::size_t times_received(Id id) const {
    std::size_t count = 0;
    for (const auto& message : server.messages()) count += message.body.find("X-Id: " + id.text()) != std::string::npos;
    return count;
  }
  std::string kinds_of(Id id) {
    std::string kinds;
    const auto events = trace_message(*trace, tenant, id, soon());
    if (!events) return "(none)";
    for (const Event& event : *events) kinds += (kinds.empty() ? "" : " ") + event.kind;
    return kinds;
  }

  std::filesystem::path folder;
  std::uint64_t segment_bytes = 1U << 20;
  DerivedKeys keys;
  crypto::X25519KeyPair pair = crypto::x25519_generate();
  std::unique_ptr<ManualClock> clock = std::make_unique<ManualClock>(1'790'000'000'000);
  Id tenant = Id::random();
  Id route_id = Id::random();
  fakes::SmtpServer server;
  access::RouteTable table;
  QueueSettings settings;

  std::unique_ptr<spool::SpoolWriter> writer;
  std::unique_ptr<spool::SpoolReader> reader;
  std::unique_ptr<records::Records> records;
  std::unique_ptr<blobs::BlobStore> blobs;
  std::unique_ptr<store::MessageStore> store;
  std::unique_ptr<store::TraceLog> trace;
  std::unique_ptr<outbound::Opener> opener;
  std::unique_ptr<Queue> queue;
};

}  // namespace mailhold::queue
