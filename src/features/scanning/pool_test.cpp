// The pool with real worker processes of a real zygote: one tenant for each worker (T15), deaths, limits, cost of a fork.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <map>
#include <mutex>
#include <thread>

#include "corpora.h"
#include "features/scanning/fake_answers_for_test.h"
#include "features/scanning/scan_messages.h"
#include "features/scanning/scanner_pool.h"
#include "features/scanning/zygote.h"
#include "platform/sandbox/profiles.h"

namespace mailhold::scanning {
namespace {

using namespace std::chrono_literals;

constexpr const char* small_mail = "From: ann@sender.example\r\nSubject: hello\r\n\r\nhttp://a.example/\r\n";

ScanRequest request_for(const Id& tenant, std::string_view content) {
  ScanRequest request;
  request.tenant = tenant;
  request.client_ip = "192.0.2.1";
  request.helo = "mail.sender.example";
  request.mail_from = "ann@sender.example";
  request.authserv_id = "mx.customer.example";
  request.received_at = 1'795'340'000'000;
  request.content = content;
  return request;
}

Deadline soon() { return Deadline::after(30s); }

// Passes workers on and remembers for whom each was made.
class CountedWorkers final : public WorkerSource {
 public:
  explicit CountedWorkers(ZygoteSettings settings = {}) {
    auto made = Zygote::start(settings);
    EXPECT_TRUE(made);
    zygote_ = std::move(*made);
  }
  Result<WorkerHandle> start_worker(const Id& tenant, const Deadline& deadline) override {
    auto handle = zygote_->start_worker(tenant, deadline);
    const std::lock_guard lock(mutex_);
    if (handle) tenant_of[handle->number] = tenant;
    return handle;
  }
  void kill_worker(std::uint64_t number) override { zygote_->kill_worker(number); }

  std::mutex mutex_;
  std::map<std::uint64_t, Id> tenant_of;
  std::unique_ptr<Zygote> zygote_;
};

class ScannerPools : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(load_scan_tables()); }
  void use(PoolSettings settings, ZygoteSettings zygote = {}) {
    auto source = std::make_unique<CountedWorkers>(std::move(zygote));
    source_ = source.get();
    pool_ = std::make_unique<ScannerPool>(std::move(source), settings);
  }
  CountedWorkers* source_ = nullptr;
  std::unique_ptr<ScannerPool> pool_;
  FakeAnswers answers_;
};

TEST_F(ScannerPools, scan_through_a_worker_gives_what_scan_message_gives) {
  use({});
  const auto request = request_for(Id::random(), small_mail);
  auto remote = pool_->scan(request, answers_, soon());
  ASSERT_TRUE(remote) << remote.error().detail;
  FakeAnswers local_answers;
  EXPECT_EQ(encode_result(*remote), encode_result(scan_message(request, local_answers, soon())));
  EXPECT_EQ(remote->splices.size(), 1u);
}

TEST_F(ScannerPools, contents_are_compared_by_a_worker_of_the_tenant) {
  use({});
  const Id tenant = Id::random();
  const std::string event = "BEGIN:VCALENDAR\r\nPRODID:a\r\nBEGIN:VEVENT\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
  const std::string anew = "begin:vcalendar\nPRODID:b\nbegin:vevent\nRRULE:FREQ\n =DAILY;INTERVAL=1\nend:vevent\nend:vcalendar\n";
  std::string other = event;
  other.replace(other.find("DAILY"), 5, "YEARLY");
  const auto compare = [&](std::string_view there) {
    return pool_->compare({tenant, ComparedForm::icalendar, event, there}, soon());
  };
  auto found = compare(anew);
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_TRUE(found->is_readable && found->is_equal);
  found = compare(other);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_readable && !found->is_equal);
  EXPECT_EQ(found->differences, std::vector<std::string>{"VEVENT.RRULE"});
  found = compare("no calendar");
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->is_readable);
  found =
      pool_->compare({tenant, ComparedForm::vcard, "BEGIN:VCARD\nN:a;b\nEND:VCARD", "BEGIN:VCARD\nN:a;b;;;\nEND:VCARD"}, soon());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->is_equal);
  const std::string large(compared_bytes_max + 1, 'x');
  EXPECT_EQ(compare(large).error().kind, ErrorKind::limit_exceeded);
  // The same worker scans mail of the tenant, and of no other.
  ASSERT_TRUE(pool_->scan(request_for(tenant, small_mail), answers_, soon()));
  EXPECT_EQ(pool_->counts().started, 1U);
  ASSERT_TRUE(pool_->compare({Id::random(), ComparedForm::icalendar, event, anew}, soon()));
  EXPECT_EQ(pool_->counts().started, 2U);
}

TEST_F(ScannerPools, a_worker_serves_one_tenant_only) {
  PoolSettings settings;
  settings.workers_max = 20;
  use(settings);
  std::vector<Id> tenants(200);
  for (Id& tenant : tenants) tenant = Id::random();
  const auto start = std::chrono::steady_clock::now();
  const int rounds = 2;
  for (int round = 0; round < rounds; ++round) {
    for (const Id& tenant : tenants) ASSERT_TRUE(pool_->scan(request_for(tenant, small_mail), answers_, soon()));
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const PoolCounts counts = pool_->counts();
  std::printf("200 tenants interleaved over 20 workers: %.2f ms for each message, %llu workers started, %llu evicted\n",
              seconds * 1000 / (200 * rounds), static_cast<unsigned long long>(counts.started),
              static_cast<unsigned long long>(counts.evicted));
  EXPECT_EQ(counts.scans, 400u);
  EXPECT_EQ(counts.died, 0u);
  EXPECT_EQ(counts.started, 400u) << "with fewer workers than tenants in turn, every message needs its own";
  EXPECT_LE(counts.idle + counts.busy, 20u);
}

TEST_F(ScannerPools, a_worker_asks_dns_again_only_when_the_answers_time_is_over) {
  use({});
  const Id tenant = Id::random(), other = Id::random();
  answers_.ttl_seconds = 600;
  ASSERT_TRUE(pool_->scan(request_for(tenant, small_mail), answers_, soon()));
  const std::size_t asked = answers_.batches;
  ASSERT_GT(asked, 0u);
  ASSERT_TRUE(pool_->scan(request_for(tenant, small_mail), answers_, soon()));
  EXPECT_EQ(answers_.batches, asked);
  ASSERT_TRUE(pool_->scan(request_for(other, small_mail), answers_, soon()));
  EXPECT_EQ(answers_.batches, 2 * asked) << "what one tenant's worker knows no other one does";

  answers_.ttl_seconds = 0;
  const Id third = Id::random();
  ASSERT_TRUE(pool_->scan(request_for(third, small_mail), answers_, soon()));
  ASSERT_TRUE(pool_->scan(request_for(third, small_mail), answers_, soon()));
  EXPECT_EQ(answers_.batches, 4 * asked);
}

TEST_F(ScannerPools, keeps_a_worker_for_its_tenant) {
  use({});
  const Id tenant = Id::random(), other = Id::random();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(pool_->scan(request_for(tenant, small_mail), answers_, soon()));
    ASSERT_TRUE(pool_->scan(request_for(other, small_mail), answers_, soon()));
  }
  EXPECT_EQ(pool_->counts().started, 2u);
  EXPECT_EQ(source_->tenant_of.size(), 2u);
}

TEST_F(ScannerPools, a_worker_refuses_the_message_of_another_tenant) {
  auto zygote = Zygote::start({});
  ASSERT_TRUE(zygote);
  const Id tenant = Id::random();
  auto handle = (*zygote)->start_worker(tenant, soon());
  ASSERT_TRUE(handle);
  ipc::Channel channel{ipc::OwnedFd(handle->socket)};
  ASSERT_TRUE(channel.send(encode_scan({request_for(Id::random(), small_mail), {}, 1000ms}), soon()));
  auto reply = channel.receive(soon());
  ASSERT_FALSE(reply) << "it must end without a word";
  EXPECT_EQ(reply.error().kind, ErrorKind::unavailable);
}

TEST_F(ScannerPools, recycles_a_worker_after_its_messages) {
  PoolSettings settings;
  settings.worker_messages_max = 3;
  use(settings);
  const Id tenant = Id::random();
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(pool_->scan(request_for(tenant, small_mail), answers_, soon()));
  EXPECT_EQ(pool_->counts().started, 3u);
  EXPECT_EQ(pool_->counts().recycled, 3u);
}

// Kills the worker that asks, by its number: what a crash in a parser looks like from outside.
class KillingAnswers final : public Answers {
 public:
  explicit KillingAnswers(ScannerPools*) {}
  std::vector<dns::Answer> resolve(std::span<const dns::Question> questions, const Deadline&) override {
    ++asked;
    if (kills-- > 0) {
      source->kill_worker(asked);
      std::this_thread::sleep_for(50ms);
    }
    return std::vector<dns::Answer>(questions.size());
  }
  std::vector<std::string> wrap(std::span<const std::string> urls, const Deadline&) override {
    return std::vector<std::string>(urls.size());
  }
  Result<int> connect_clamd(const Deadline&) override { return Error{ErrorKind::unavailable, "none"}; }
  WorkerSource* source = nullptr;
  int kills = 0;
  std::uint64_t asked = 0;
};

TEST_F(ScannerPools, tries_again_when_a_worker_dies_and_holds_after_the_third) {
  use({});
  KillingAnswers answers(nullptr);
  answers.source = source_;
  answers.kills = 1;
  auto once = pool_->scan(request_for(Id::random(), small_mail), answers, soon());
  ASSERT_TRUE(once);
  EXPECT_FALSE(once->findings.unscannable);
  EXPECT_EQ(pool_->counts().died, 1u);

  use({});
  answers.source = source_;
  answers.kills = 100;
  answers.asked = 0;
  auto killed = pool_->scan(request_for(Id::random(), small_mail), answers, soon());
  ASSERT_TRUE(killed);
  EXPECT_TRUE(killed->findings.unscannable);
  ASSERT_EQ(killed->reasons.size(), 1u);
  EXPECT_EQ(killed->reasons[0].code, "scanner.killed");
  EXPECT_EQ(pool_->counts().died, 3u);
}

TEST_F(ScannerPools, says_unavailable_when_the_zygote_is_away) {
  class NoWorkers final : public WorkerSource {
    Result<WorkerHandle> start_worker(const Id&, const Deadline&) override { return Error{ErrorKind::unavailable, "away"}; }
    void kill_worker(std::uint64_t) override {}
  };
  ScannerPool pool(std::make_unique<NoWorkers>(), {});
  auto result = pool.scan(request_for(Id::random(), small_mail), answers_, soon());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::unavailable);
}

// A worker under the control of somebody else: says what it likes.
class LyingWorkers final : public WorkerSource {
 public:
  explicit LyingWorkers(std::function<void(ipc::Channel&)> lie) : lie_(std::move(lie)) {}
  ~LyingWorkers() override {
    for (std::thread& thread : threads_) thread.join();
  }
  Result<WorkerHandle> start_worker(const Id&, const Deadline&) override {
    auto ends = ipc::Channel::socket_pair();
    if (!ends) return ends.error();
    threads_.emplace_back([this, end = ends->second.release()] {
      ipc::Channel channel{ipc::OwnedFd(end)};
      (void)channel.receive(Deadline::after(5s));
      lie_(channel);
    });
    return WorkerHandle{threads_.size(), ends->first.release()};
  }
  void kill_worker(std::uint64_t) override {}

 private:
  std::function<void(ipc::Channel&)> lie_;
  std::vector<std::thread> threads_;
};

TEST_F(ScannerPools, a_lying_worker_gets_nothing_through) {
  ScanResult bad_splice;
  bad_splice.splices.push_back({0, 1'000'000, "x"});
  ScanResult bad_field;
  bad_field.authentication.field = "mx; none\r\nBcc: everybody@example.com";
  ScanResult bad_code;
  bad_code.reasons.push_back({"code with blanks and\nlines", ""});
  ScanResult bad_word;
  bad_word.authentication.spf = "passed";
  for (const std::string& frame :
       {encode_result(bad_splice), encode_result(bad_field), encode_result(bad_code), encode_result(bad_word),
        std::string("\x07"), std::string(), encode_clamd(true), std::string("\x02\xff\xff\xff\xff", 5)}) {
    ScannerPool pool(
        std::make_unique<LyingWorkers>([&](ipc::Channel& channel) { (void)channel.send(frame, Deadline::after(5s)); }), {});
    auto result = pool.scan(request_for(Id::random(), small_mail), answers_, soon());
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->findings.unscannable);
    EXPECT_TRUE(result->splices.empty());
  }
}

TEST_F(ScannerPools, a_worker_that_asks_without_end_is_ended) {
  ScannerPool pool(
      std::make_unique<LyingWorkers>([&](ipc::Channel& channel) {
        const dns::Question question{"example.com", dns::RecordType::txt};
        while (channel.send(encode_questions({&question, 1}), Deadline::after(5s)) && channel.receive(Deadline::after(5s))) {
        }
      }),
      {});
  auto result = pool.scan(request_for(Id::random(), small_mail), answers_, soon());
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->findings.unscannable);
}

#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
TEST_F(ScannerPools, scan_in_the_jail_of_the_product) {
  const sandbox::Profile profile = sandbox::profile_of("scanner", {});
  ZygoteSettings zygote;
  zygote.confine_zygote = [] { return sandbox::enter(sandbox::profile_of("scannerd", {})); };
  const auto jail = sandbox::PreparedProfile::make(profile);
  ASSERT_TRUE(jail);
  zygote.confine_worker = [&](const Id&) { return jail->tighten(); };
  use({}, zygote);
  const std::string mail = read_whole_file(std::string(MAILHOLD_SOURCE_DIR) + "/tests/samples/html-links-attachment.eml");
  auto result = pool_->scan(request_for(Id::random(), mail), answers_, soon());
  ASSERT_TRUE(result) << result.error().detail;
  EXPECT_FALSE(result->findings.unscannable) << (result->reasons.empty() ? "" : result->reasons[0].code);
  EXPECT_EQ(result->facts.attachments.size(), 1u);
  EXPECT_EQ(result->facts.subject, "Übersicht and invoice");

  const auto start = std::chrono::steady_clock::now();
  const int forks = 30;
  for (int i = 0; i < forks; ++i) {
    auto handle = source_->start_worker(Id::random(), soon());
    ASSERT_TRUE(handle);
    ::close(handle->socket);
  }
  const double each = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() / forks;
  const auto whole_start = std::chrono::steady_clock::now();
  for (int i = 0; i < forks; ++i) ASSERT_TRUE(pool_->scan(request_for(Id::random(), small_mail), answers_, soon()));
  const double whole = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - whole_start).count() / forks;
  std::printf("fork of a worker: %.2f ms until its socket is there, %.2f ms with jail and first message\n", each, whole);
}

TEST_F(ScannerPools, cpu_without_end_ends_the_worker) {
  ZygoteSettings zygote;
  zygote.worker.cpu_max = 1s;
  zygote.confine_worker = [](const Id&) {
    // Uses its CPU up as a parser in a loop would, once the first message has set the limit.
    std::thread([] {
      for (volatile unsigned i = 0;; i = i + 1) {
      }
    }).detach();
    return done();
  };
  PoolSettings settings;
  settings.attempts_max = 1;
  use(settings, zygote);
  // The scan itself waits for DNS longer than the CPU lasts.
  class SlowAnswers final : public Answers {
    std::vector<dns::Answer> resolve(std::span<const dns::Question> questions, const Deadline&) override {
      std::this_thread::sleep_for(4s);
      return std::vector<dns::Answer>(questions.size());
    }
    std::vector<std::string> wrap(std::span<const std::string> urls, const Deadline&) override {
      return std::vector<std::string>(urls.size());
    }
    Result<int> connect_clamd(const Deadline&) override { return Error{ErrorKind::unavailable, "none"}; }
  } slow;
  auto result = pool_->scan(request_for(Id::random(), small_mail), slow, soon());
  ASSERT_TRUE(result);
  EXPECT_TRUE(result->findings.unscannable);
}
#endif

TEST_F(ScannerPools, serves_many_threads_at_once) {
  PoolSettings settings;
  settings.workers_max = 4;
  use(settings);
  const std::vector<Id> tenants = {Id::random(), Id::random(), Id::random()};
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      FakeAnswers answers;
      for (int i = 0; i < 25; ++i)
        good += bool(pool_->scan(request_for(tenants[static_cast<std::size_t>(t + i) % 3], small_mail), answers, soon()));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 200);
  EXPECT_EQ(pool_->counts().died, 0u);
  EXPECT_EQ(pool_->counts().busy, 0u);
}

}  // namespace
}  // namespace mailhold::scanning
