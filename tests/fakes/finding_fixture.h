// The index of a tenant with everything that fills it and asks it, in the test's process. For the tests of features/recover.
#pragma once

#include <boost/json.hpp>

#include "base/log.h"
#include "fakes/backup_rules.h"
#include "fakes/recover_fixture.h"
#include "features/recover/finding.h"
#include "features/scanning/worker.h"
#include "features/search/searcher.h"

namespace mailhold::recover {

namespace json = boost::json;

// Workers of scannerd, as threads of the test.
class ThreadedWorkers final : public scanning::WorkerSource {
 public:
  Result<scanning::WorkerHandle> start_worker(const Id& tenant, const Deadline&) override {
    ASSIGN_OR_RETURN(auto ends, ipc::Channel::socket_pair());
    scanning::WorkerSettings settings;
    settings.cpu_max = std::chrono::seconds(0);  // the alarm would be for all of the test
    threads_.emplace_back([settings, tenant, socket = std::move(ends.second)]() mutable {
      scanning::serve_worker(std::move(socket), tenant, settings);
    });
    return scanning::WorkerHandle{threads_.size(), ends.first.release()};
  }
  void kill_worker(std::uint64_t) override {}

 private:
  std::vector<std::jthread> threads_;
};

class FindingFixture : public RecoverFixture {
 protected:
  FindingFixture() {
    std::string made = testing::TempDir() + "find-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) std::abort();
    folder_ = made;
  }
  void SetUp() override {
    RecoverFixture::SetUp();
    start();
  }
  void TearDown() override {
    stop();
    std::filesystem::remove_all(folder_);
  }
  // As searchd, workerd and the process of the tenant would be after a start.
  void start() {
    scanners_ = std::make_unique<scanning::ScannerPool>(std::make_unique<ThreadedWorkers>(), scanning::PoolSettings());
    search_ =
        std::make_unique<search::SearchClient>([this](const Id& of, const Deadline& deadline) { return open(of, deadline); });
    indexing_ = std::make_unique<Indexing>(Indexing::Parts{*book, *store, *scanners_, *search_});
    finding_ = std::make_unique<Finding>(*book, *search_, *indexing_, rules_);
  }
  void stop() {
    finding_.reset();
    indexing_.reset();
    search_.reset();
    scanners_.reset();
    searchers_.clear();
  }
  Result<ipc::OwnedFd> open(const Id& of, const Deadline& deadline) {
    ASSIGN_OR_RETURN(auto ends, ipc::Channel::socket_pair());
    searchers_.emplace_back(
        [this, of, socket = std::move(ends.second)]() mutable { search::serve_tenant(std::move(socket), of, folder_); });
    const int copy = ::dup(ends.first.get());
    ipc::Channel channel(std::move(ends.first));
    const search::Beginning beginning{"test", of, 1, SecretText::copy_of(std::string(32, 'k'))};
    RETURN_IF_ERROR(channel.send(search::encode_ask(search::Ask::begin, search::encode(beginning)), deadline));
    ASSIGN_OR_RETURN(const ipc::Frame frame, channel.receive(deadline));
    RETURN_IF_ERROR(search::parse_answer(frame.bytes));
    return ipc::OwnedFd(copy);
  }

  Mailbox synced() {
    EXPECT_TRUE(sync());
    mailbox.synced_at = now;
    EXPECT_TRUE(book->put_mailbox(mailbox, soon()));
    return mailbox;
  }
  Status take_in() { return indexing_->take_in(mailbox, soon()); }
  std::multiset<std::string> folders_of(const std::string& query, Milliseconds at = 0) {
    const auto found = finding_->find({mailbox}, query, at, 100, soon());
    EXPECT_TRUE(found) << found.error().detail;
    std::multiset<std::string> folders;
    if (found) {
      for (const FoundItem& each : found->items) folders.insert(mailboxes::path_text(each.folder));
    }
    return folders;
  }
  json::object ask(json::object request) {
    const auto answer = finding_->answer(json::serialize(request), soon());
    if (!answer) return {{"error", std::string(name_of(answer.error().kind))}, {"said", answer.error().detail}};
    return json::parse(*answer).as_object();
  }
  using Folders = std::multiset<std::string>;

  std::filesystem::path folder_;
  std::unique_ptr<scanning::ScannerPool> scanners_;
  std::unique_ptr<search::SearchClient> search_;
  std::unique_ptr<Indexing> indexing_;
  TestRules rules_;
  std::unique_ptr<Finding> finding_;
  std::vector<std::jthread> searchers_;
};

}  // namespace mailhold::recover
