#include "features/search/tenant_index.h"

#include <gtest/gtest.h>

#include <fstream>

#include "features/search/query.h"
#include "formats/sealed/sealed.h"

namespace mailhold::search {
namespace {

using namespace std::chrono_literals;

class TenantIndexTest : public testing::Test {
 protected:
  TenantIndexTest() {
    std::string made = testing::TempDir() + "index-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) std::abort();
    folder_ = made;
    if (!reopen()) std::abort();
  }
  ~TenantIndexTest() override {
    index_.reset();
    std::filesystem::remove_all(folder_);
  }

  Place place(Id tenant) const { return {"eu", tenant, 1, SecretText::copy_of(std::string(32, 'k')), folder_}; }
  Status reopen(IndexLimits limits = {}) {
    index_.reset();
    auto opened = TenantIndex::open(place(tenant_), limits);
    if (!opened) return opened.error();
    index_ = std::move(*opened);
    return done();
  }

  Document document(std::string body, Milliseconds received) {
    Document made{mailbox_, Id::random(), received, false, {}};
    made.texts.body = std::move(body);
    return made;
  }
  Id add(Document one) {
    const Id message = one.message;
    EXPECT_TRUE(index_->add({{mailbox_, ++since_, message}, {std::move(one)}}));
    return message;
  }
  Id add(std::string body, Milliseconds received = 1000) { return add(document(std::move(body), received)); }

  std::vector<Id> find(const std::string& query, Id mailbox = {}, std::uint32_t limit = 100) {
    const auto parsed = parse_query(query);
    EXPECT_TRUE(parsed) << parsed.error().detail;
    const auto hits = index_->find(parsed->question(mailbox, limit), Deadline::after(10s));
    EXPECT_TRUE(hits) << hits.error().detail;
    std::vector<Id> messages;
    if (hits) {
      for (const Hit& hit : *hits) messages.push_back(hit.message);
    }
    return messages;
  }
  using Ids = std::vector<Id>;

  std::vector<std::filesystem::path> files(const std::string& extension) const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      if (entry.path().extension() == extension) found.push_back(entry.path());
    }
    return found;
  }
  static std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static void write(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::filesystem::path folder_;
  const Id tenant_ = Id::random(), mailbox_ = Id::random();
  Milliseconds since_ = 0;
  std::unique_ptr<TenantIndex> index_;
};

TEST_F(TenantIndexTest, WhatWasAddedIsFoundByEachOfItsTexts) {
  Document one = document("The quick brown fox", 5000);
  one.texts = {"Ann Müller <ann@example.com>", "bob@example.com", "Annual report", one.texts.body, "plan.txt", "Wednesday"};
  one.has_attachment = true;
  one.has_unreadable = true;
  const Id message = add(one);
  const Id other = add("another fox", 6000);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(find("fox"), (Ids{other, message}));
    EXPECT_EQ(find("FOX -another"), Ids{message});
    EXPECT_EQ(find("\"brown fox\""), Ids{message});
    EXPECT_EQ(find("\"quick fox\""), Ids{});
    EXPECT_EQ(find("qui*"), Ids{message});
    EXPECT_EQ(find("from:ann@example.com"), Ids{message});
    EXPECT_EQ(find("from:muller"), Ids{message});
    EXPECT_EQ(find("to:bob"), Ids{message});
    EXPECT_EQ(find("from:bob"), Ids{});
    EXPECT_EQ(find("subject:report"), Ids{message});
    EXPECT_EQ(find("attachment:plan attachment:wednesday"), Ids{message});
    EXPECT_EQ(find("has:attachment"), Ids{message});
    EXPECT_EQ(find("-has:attachment"), Ids{other});
    EXPECT_EQ(find("has:unreadable"), Ids{message});
    EXPECT_EQ(find("-has:unreadable"), Ids{other});
    EXPECT_EQ(find("fox before:1970-01-01T00:00:06Z"), Ids{message});
    EXPECT_EQ(find("fox after:1970-01-01T00:00:06Z"), Ids{other});
    EXPECT_EQ(find("after:1970-01-01T00:00:01Z", mailbox_, 1), Ids{other});
    EXPECT_EQ(find("fox", Id::random()), Ids{});
    // Out of the journal, out of a segment, and out of one that was opened anew.
    ASSERT_TRUE(round == 0 ? index_->flush() : reopen());
  }
  EXPECT_EQ(index_->figures().segments, 1U);
  EXPECT_EQ(index_->figures().documents, 2U);
}

TEST_F(TenantIndexTest, AnIndexOfBeforeSuchDocumentsWereReadIsBuiltAnew) {
  add("in a segment");
  ASSERT_TRUE(index_->flush());
  add("in the journal");
  index_.reset();
  const std::string row = read(folder_ / "manifest");
  const auto header = sealed::read_row_header(row);
  ASSERT_TRUE(header);
  const Place here = place(tenant_);
  const auto context = here.context(sealed::Kind::index_journal, tenant_, 2, header->version);
  auto manifest = sealed::open(here.key.reveal(), context, row);
  ASSERT_TRUE(manifest);
  (*manifest)[0] = 2;
  write(folder_ / "manifest", sealed::seal(here.key.reveal(), context, *manifest));
  ASSERT_TRUE(reopen());
  EXPECT_TRUE(index_->cursors().empty());  // so that everything comes again
  EXPECT_EQ(find("in"), Ids{});
  EXPECT_TRUE(files(".segment").empty());
  EXPECT_EQ(files(".journal").size(), 1U);
  const Id again = add("in it again");
  ASSERT_TRUE(reopen());
  EXPECT_EQ(find("in"), Ids{again});
  // One of a version to come is left alone.
  index_.reset();
  const auto later_header = sealed::read_row_header(read(folder_ / "manifest"));
  const auto later_context = here.context(sealed::Kind::index_journal, tenant_, 2, later_header->version);
  (*manifest)[0] = 4;
  write(folder_ / "manifest", sealed::seal(here.key.reveal(), later_context, *manifest));
  EXPECT_EQ(reopen().error().kind, ErrorKind::corrupt);
}

TEST_F(TenantIndexTest, AJournalOutlivesTheProcessAndItsLastRecordMayBeTorn) {
  const Id first = add("first word");
  const Id second = add("second word", 2000);
  ASSERT_TRUE(reopen());
  EXPECT_EQ(find("word"), (Ids{second, first}));
  ASSERT_EQ(index_->cursors().size(), 1U);
  EXPECT_EQ(index_->cursors()[0].item, second);
  index_.reset();
  const auto journal = files(".journal").at(0);
  const std::string whole = read(journal);
  for (const std::size_t cut : {std::size_t{1}, std::size_t{9}, whole.size() / 3}) {
    write(journal, whole.substr(0, whole.size() - cut));
    ASSERT_TRUE(reopen());
    EXPECT_EQ(find("word"), Ids{first});
    EXPECT_EQ(index_->cursors()[0].item, first);  // so that the second comes again
    index_.reset();
  }
  // Behind a torn record the journal goes on.
  ASSERT_TRUE(reopen());
  const Id third = add("third word", 3000);
  ASSERT_TRUE(reopen());
  EXPECT_EQ(find("word"), (Ids{third, first}));
  index_.reset();
  // In the middle no record may be missing or changed.
  std::string changed = whole;
  changed[60] = static_cast<char>(changed[60] ^ 1);
  write(journal, changed);
  EXPECT_EQ(reopen().error().kind, ErrorKind::corrupt);
}

TEST_F(TenantIndexTest, EveryByteOfASegmentCounts) {
  add("needle");
  ASSERT_TRUE(index_->flush());
  index_.reset();
  const auto path = files(".segment").at(0);
  const Id segment = *Id::parse(path.stem().string());
  const std::string whole = read(path);
  EXPECT_EQ(whole.find("needle"), std::string::npos);
  ASSERT_EQ((whole.size() - 89 - 16) % 16400, 0U);
  const auto answers = [&](const std::string& bytes) {
    write(path, bytes);
    const auto opened = Segment::open(place(tenant_), segment);
    if (!opened) return opened.error().kind == ErrorKind::corrupt ? 0 : 1;
    const auto hits = (*opened)->find({"needle"}, {}, Deadline::after(10s));
    if (!hits) return hits.error().kind == ErrorKind::corrupt ? 0 : 2;
    return 3;
  };
  EXPECT_EQ(answers(whole), 3);
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); at += at < 200 ? 1 : 613) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    const int outcome = answers(changed);
    // A page that the question did not need is not looked at.
    EXPECT_TRUE(outcome == 0 || (outcome == 3 && at > 89)) << at;
    refused += outcome == 0;
  }
  EXPECT_GT(refused, 200);
  for (const std::size_t length : {std::size_t{0}, std::size_t{50}, std::size_t{89}, whole.size() - 1, whole.size() - 16,
                                   whole.size() - 16416, whole.size() - 16400})
    EXPECT_EQ(answers(whole.substr(0, length)), 0) << length;
  EXPECT_EQ(answers(whole + "x"), 0);
  EXPECT_EQ(answers(whole + std::string(16400, 'x')), 0);
  // The first two pages in each other's place.
  std::string swapped =
      whole.substr(0, 89) + whole.substr(89 + 16400, 16400) + whole.substr(89, 16400) + whole.substr(89 + 2 * 16400);
  EXPECT_EQ(answers(swapped), 0);
  // Of another tenant, under another name, under another key, in another region.
  write(path, whole);
  EXPECT_EQ(Segment::open(place(Id::random()), segment).error().kind, ErrorKind::corrupt);
  const Id name = Id::random();
  write(folder_ / (name.text() + ".segment"), whole);
  EXPECT_EQ(Segment::open(place(tenant_), name).error().kind, ErrorKind::corrupt);
  Place elsewhere = place(tenant_);
  elsewhere.key = SecretText::copy_of(std::string(32, 'x'));
  EXPECT_EQ(Segment::open(elsewhere, segment).error().kind, ErrorKind::corrupt);
  elsewhere = place(tenant_);
  elsewhere.region = "us";
  EXPECT_EQ(Segment::open(elsewhere, segment).error().kind, ErrorKind::corrupt);
}

TEST_F(TenantIndexTest, AMissingOrForeignFileIsSaid) {
  add("needle");
  ASSERT_TRUE(index_->flush());
  index_.reset();
  const auto segment = files(".segment").at(0);
  const std::string bytes = read(segment), manifest = read(folder_ / "manifest");
  std::filesystem::remove(segment);
  EXPECT_EQ(reopen().error().kind, ErrorKind::corrupt);
  write(segment, bytes);
  EXPECT_TRUE(reopen());
  index_.reset();
  EXPECT_EQ(TenantIndex::open(place(Id::random())).error().kind, ErrorKind::corrupt);
  std::string changed = manifest;
  changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 1);
  write(folder_ / "manifest", changed);
  EXPECT_EQ(reopen().error().kind, ErrorKind::corrupt);
  write(folder_ / "manifest", manifest);
  EXPECT_TRUE(reopen());
  // One process at a time.
  IndexLimits limits;
  limits.lock_time = 1ms;
  EXPECT_EQ(TenantIndex::open(place(tenant_), limits).error().kind, ErrorKind::unavailable);
}

TEST_F(TenantIndexTest, SmallSegmentsBecomeLargeOnesWithTheSameAnswers) {
  IndexLimits limits;
  limits.journal_documents = 10;
  limits.merged_at_once = 3;
  ASSERT_TRUE(reopen(limits));
  std::vector<std::pair<Milliseconds, Id>> odd;
  for (int i = 0; i < 100; ++i) {
    const Milliseconds received = 1000 + (i * 37) % 100;
    Document one = document(i % 2 == 1 ? "Größe odd number " + std::to_string(i) : "even, number " + std::to_string(i), received);
    one.texts.senders = "s" + std::to_string(i) + "@example.com";
    one.has_attachment = i % 5 == 0;
    const Id message = add(one);
    if (i % 2 == 1) odd.emplace_back(received, message);
    for (;;) {
      const auto more = index_->maintain();
      ASSERT_TRUE(more) << more.error().detail;
      if (!*more) break;
    }
  }
  EXPECT_EQ(index_->figures().segments, 2U);  // 90 in one of level 2, 10 in one of level 0
  EXPECT_EQ(files(".segment").size(), 2U);
  EXPECT_EQ(index_->figures().documents, 100U);
  std::sort(odd.rbegin(), odd.rend());
  Ids expected;
  for (const auto& [received, message] : odd) expected.push_back(message);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(find("odd"), expected);
    EXPECT_EQ(find("groesse").size() + find("GROSSE").size() + find("größe").size(), 50U);
    EXPECT_EQ(find("\"odd number\""), expected);
    EXPECT_EQ(find("\"number odd\""), Ids{});
    EXPECT_EQ(find("odd", {}, 7), Ids(expected.begin(), expected.begin() + 7));
    EXPECT_EQ(find("from:s42@example.com").size(), 1U);
    EXPECT_EQ(find("has:attachment").size(), 20U);
    EXPECT_EQ(find("odd", mailbox_), expected);
    EXPECT_EQ(find("number after:1970-01-01T00:00:01.050Z").size(), 50U);
    EXPECT_EQ(find("number before:1970-01-01T00:00:01.010Z").size(), 10U);
    ASSERT_TRUE(reopen(limits));
  }
}

TEST_F(TenantIndexTest, WhatIsForgottenIsFoundNoMoreAndGoesWithTheNextMerge) {
  IndexLimits limits;
  limits.merged_at_once = 2;
  ASSERT_TRUE(reopen(limits));
  const Id stays = add("common words", 2000);
  const Id goes = add("common secret", 1000);
  ASSERT_TRUE(index_->flush());
  add("something else", 500);
  ASSERT_TRUE(index_->forget({goes}));
  EXPECT_EQ(find("common"), Ids{stays});
  ASSERT_TRUE(reopen(limits));
  EXPECT_EQ(find("common"), Ids{stays});
  ASSERT_TRUE(index_->flush());
  ASSERT_TRUE(index_->maintain());
  EXPECT_EQ(index_->figures().documents, 2U);
  EXPECT_EQ(find("common"), Ids{stays});
  EXPECT_EQ(find("secret"), Ids{});
}

TEST_F(TenantIndexTest, NothingTypedOrWrittenReachesTheMarks) {
  Document one = document(
      "\xee\x80\x80"
      "a plain",
      1000);
  const Id message = add(one);
  EXPECT_EQ(find("has:attachment"), Ids{});
  EXPECT_EQ(find("plain"), Ids{message});
  // A run of code is no word, what stands around it is.
  const Id coded = add("before " + std::string(300, 'A') + " behind", 2000);
  EXPECT_EQ(find("\"before behind\""), Ids{coded});
  EXPECT_EQ(find(std::string(100, 'A') + "*"), Ids{});
}

TEST_F(TenantIndexTest, AQuestionEndsWithItsTime) {
  std::vector<Document> documents;
  for (int i = 0; i < 300; ++i) documents.push_back(document("same words in all", i));
  ASSERT_TRUE(index_->add({{mailbox_, 1, {}}, documents}));
  const auto hits = index_->find({parse_query("same words in all")->words, 0, 0, 100'000}, Deadline::after(0ms));
  EXPECT_TRUE(!hits ? hits.error().kind == ErrorKind::timed_out : hits->size() == 300);  // or it was done before anybody looked
}

}  // namespace
}  // namespace mailhold::search
