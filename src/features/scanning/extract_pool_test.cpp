// Texts of messages through the pool, with real workers and with programs for their documents; and workers that lie or die.
#include <gtest/gtest.h>

#include <thread>

#include "base/text.h"
#include "fakes/stored_zip.h"
#include "features/scanning/document_program.h"
#include "features/scanning/extract_messages.h"
#include "features/scanning/scan.h"
#include "features/scanning/scan_messages.h"
#include "features/scanning/scanner_pool.h"
#include "features/scanning/zygote.h"

namespace mailhold::scanning {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(30s); }

std::string attached(const std::string& type, const std::string& bytes) {
  return "--b\r\nContent-Type: " + type +
         "\r\nContent-Disposition: attachment; filename=a\r\nContent-Transfer-Encoding: base64\r\n\r\n" + to_base64(bytes) +
         "\r\n";
}

std::string message(const std::string& parts) {
  return "Subject: documents\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nbody\r\n" + parts + "--b--\r\n";
}

const std::string a_pdf = attached("application/pdf", "%PDF-1.4");

// Workers of a zygote; programs of another one, which runs `script`.
class WorkersWithPrograms final : public WorkerSource {
 public:
  explicit WorkersWithPrograms(const std::string& script) {
    workers_ = *Zygote::start(settings_);
    DocumentProgram program;
    program.path = "/bin/sh";
    program.arguments = {"-c", script};
    program_settings_.serve = [program](ipc::OwnedFd socket, const Id&) { serve_document(std::move(socket), program); };
    programs_ = *Zygote::start(program_settings_);
  }
  Result<WorkerHandle> start_worker(const Id& tenant, const Deadline& deadline) override {
    return workers_->start_worker(tenant, deadline);
  }
  void kill_worker(std::uint64_t number) override { workers_->kill_worker(number); }
  Result<int> start_program(const Deadline& deadline) override {
    ASSIGN_OR_RETURN(const WorkerHandle handle, programs_->start_worker(Id(), deadline));
    return handle.socket;
  }

 private:
  ZygoteSettings settings_, program_settings_;
  std::unique_ptr<Zygote> workers_, programs_;
};

Result<ExtractedText> extract(std::unique_ptr<WorkerSource> source, const std::string& content) {
  ScannerPool pool(std::move(source), {});
  return pool.extract(Id::random(), TextForm::message, content, soon());
}

class ExtractPool : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(load_scan_tables()); }
};

TEST_F(ExtractPool, documents_are_read_each_by_what_reads_it) {
  const std::string office =
      attached("application/octet-stream",
               stored_zip({{"[Content_Types].xml", ""}, {"word/document.xml", "<d><p><t>of office</t></p></d>"}}));
  const auto text = extract(std::make_unique<WorkersWithPrograms>("cat; echo of a program"), message(a_pdf + office + a_pdf));
  ASSERT_TRUE(text) << text.error().detail;
  EXPECT_EQ(text->attachment_text, "%PDF-1.4of a program\n\nof office\n\n%PDF-1.4of a program\n\n");
  EXPECT_EQ(text->documents_read, 3U);
  EXPECT_EQ(text->documents_unread, 0U);
  EXPECT_TRUE(text->complete);
}

TEST_F(ExtractPool, what_is_not_read_is_counted_and_costs_nothing_else) {
  const std::string old = attached("application/msword", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1");
  const std::string archive = attached("application/zip", stored_zip({{"a.pdf", "%PDF-1.4"}}));
  auto text = extract(std::make_unique<WorkersWithPrograms>("kill -SEGV $$"),
                      message(a_pdf + old + archive + attached("text/plain", "plain")));
  ASSERT_TRUE(text) << text.error().detail;
  EXPECT_EQ(text->body, "body\n");
  EXPECT_EQ(text->attachment_text, "a.pdf\n\nplain\n");
  EXPECT_EQ(text->documents_read, 0U);
  EXPECT_EQ(text->documents_unread, 3U);
  EXPECT_FALSE(text->complete);
  text = extract(std::make_unique<WorkersWithPrograms>("cat >/dev/null; exec sleep 60"), message(a_pdf));
  ASSERT_TRUE(text) << text.error().detail;
  EXPECT_EQ(text->body, "body\n");
  EXPECT_EQ(text->documents_unread, 1U);
}

// A worker under the control of somebody else, as a thread; no programs but what `start` gives.
class LyingWorkers final : public WorkerSource {
 public:
  using Lie = std::function<void(ipc::Channel&, const ExtractCall&)>;
  explicit LyingWorkers(Lie lie, ErrorKind programs = ErrorKind::unsupported) : lie_(std::move(lie)), programs_(programs) {}
  ~LyingWorkers() override {
    for (std::thread& thread : threads_) thread.join();
  }
  Result<WorkerHandle> start_worker(const Id&, const Deadline&) override {
    ASSIGN_OR_RETURN(auto ends, ipc::Channel::socket_pair());
    threads_.emplace_back([this, end = ends.second.release()] {
      ipc::Channel channel{ipc::OwnedFd(end)};
      const auto frame = channel.receive(Deadline::after(5s));
      const auto call = frame ? parse_extract(frame->bytes) : Result<ExtractCall>(frame.error());
      if (call) lie_(channel, *call);
    });
    return WorkerHandle{threads_.size(), ends.first.release()};
  }
  void kill_worker(std::uint64_t) override {}
  Result<int> start_program(const Deadline&) override { return Error{programs_, "none"}; }

 private:
  const Lie lie_;
  const ErrorKind programs_;
  std::vector<std::thread> threads_;
};

void answer(ipc::Channel& channel) {
  ExtractedText text;
  text.body = "body\n";
  (void)channel.send(encode_extracted(text), Deadline::after(5s));
}

void ask_for_program_and_answer(ipc::Channel& channel, const ExtractCall&) {
  const auto reply = channel.send(encode_program(true), Deadline::after(5s)) ? channel.receive(Deadline::after(5s))
                                                                             : Result<ipc::Frame>(Error{ErrorKind::unavailable});
  if (reply && reply->bytes == encode_program(false)) answer(channel);
}

TEST_F(ExtractPool, a_document_that_ends_its_workers_costs_its_own_text_only) {
  int asked = 0;
  const auto die_of_documents = [&](ipc::Channel& channel, const ExtractCall& call) {
    ++asked;
    if (!call.reads_documents) answer(channel);
  };
  const auto text = extract(std::make_unique<LyingWorkers>(die_of_documents), message(a_pdf));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->body, "body\n");
  EXPECT_EQ(asked, 3);
  const auto none = extract(std::make_unique<LyingWorkers>([](ipc::Channel&, const ExtractCall&) {}), message(a_pdf));
  ASSERT_TRUE(none);
  EXPECT_EQ(none->body, "");
  EXPECT_EQ(none->documents_unread, 1U);
  // Such a message's documents stay unread in a real worker too.
  EXPECT_EQ(extract_text(message(a_pdf)).documents_unread, 1U);
}

TEST_F(ExtractPool, programs_that_are_away_for_a_while_are_waited_for_and_missing_ones_are_not) {
  const auto text = extract(std::make_unique<LyingWorkers>(ask_for_program_and_answer), message(a_pdf));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->body, "body\n");
  const auto later = extract(std::make_unique<LyingWorkers>(ask_for_program_and_answer, ErrorKind::unavailable), message(a_pdf));
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().kind, ErrorKind::unavailable);
}

TEST_F(ExtractPool, a_worker_that_asks_for_programs_without_end_is_ended) {
  std::atomic<std::size_t> asked = 0;
  const auto ask_without_end = [&](ipc::Channel& channel, const ExtractCall&) {
    while (channel.send(encode_program(true), Deadline::after(5s)) && channel.receive(Deadline::after(5s))) ++asked;
  };
  const auto text = extract(std::make_unique<LyingWorkers>(ask_without_end), message(a_pdf));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->body, "");
  EXPECT_LE(asked, 3 * (extract_programs_max + 1));
}

}  // namespace
}  // namespace mailhold::scanning
