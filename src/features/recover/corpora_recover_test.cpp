// Every file of every collection through a backup and a restore: by IMAP as a message, whatever it is, for a backup
// parses nothing; events and contacts by DAV too. What comes out is what went in, byte for byte.
#include "corpora.h"
#include "fakes/dav_recover_fixture.h"
#include "fakes/recover_fixture.h"
#include "formats/mbox/mbox.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

struct CorpusFile {
  std::string collection;
  std::string path;
  std::string content;
};

// What MANIFEST.tsv names; a collection that is not there is told by its name.
std::vector<CorpusFile> files_of_the_collections() {
  std::vector<CorpusFile> files;
  std::set<std::string> missing;
  std::ifstream manifest(corpora_root() / "MANIFEST.tsv");
  std::string line;
  std::getline(manifest, line);  // the names of its columns
  while (std::getline(manifest, line)) {
    const auto words = split(line, '\t');
    if (words.size() != 3) continue;
    const std::filesystem::path path = corpora_root() / words[0] / words[1];
    if (!std::filesystem::is_regular_file(path)) {
      missing.emplace(words[0]);
      continue;
    }
    files.push_back({std::string(words[0]), std::string(words[1]), read_whole_file(path)});
    EXPECT_EQ(std::to_string(files.back().content.size()), words[2]) << path;
  }
  for (const std::string& name : missing) {
    if (std::getenv("CI") != nullptr) ADD_FAILURE() << "files missing: " << name;
    std::printf("skipped-collection %s\n", name.c_str());
  }
  return files;
}

// Of an mbox file.
std::vector<mbox::MboxMessage> messages_in(const std::string& content) {
  std::vector<mbox::MboxMessage> messages;
  mbox::MboxReader reader;
  if (!reader.receive(content) || !reader.end()) return messages;
  while (auto message = reader.next()) messages.push_back(std::move(*message));
  return messages;
}

class CorporaRecoverTest : public RecoverFixture {
 protected:
  CorporaRecoverTest() {
    settings.segment_bytes = 16U << 20;
    sync_settings = {};
  }
  // With flags and a date of its own, so that nothing can be taken for its neighbour's.
  void add(const std::string& folder, std::string content) {
    static const std::set<std::string> flags[] = {{},          {"\\Seen"}, {"\\Answered", "\\Flagged"}, {"$Forwarded", "\\Seen"},
                                                  {"\\Draft"}, {"NonJunk"}};
    FakeMessage& message = server.folders[folder].add(std::move(content), flags[added_ % std::size(flags)]);
    const auto place = static_cast<Milliseconds>(added_++);
    message.date = imap::write_internal_date({(place * 86'399 + 7) * 1000, static_cast<int>(place % 53) * 30 - 720});
  }
  // Folder -> hash, flags and date of each message, in short.
  std::map<std::string, std::multiset<std::string>> seen() {
    std::map<std::string, std::multiset<std::string>> picture;
    for (const auto& [name, folder] : server.folders) {
      for (const FakeMessage& message : folder.messages) {
        std::string told = to_hex(crypto::sha256(message.content)) + " " + message.date;
        for (const std::string& flag : message.flags) told += " " + flag;
        picture[name].insert(told);
      }
    }
    return picture;
  }

 private:
  std::size_t added_ = 0;
};

TEST_F(CorporaRecoverTest, all_of_it_goes_in_and_comes_out_byte_for_byte) {
  CORPUS_OR_RETURN(root, "");
  std::size_t with_nul = 0, with_bare_line_ends = 0, of_mbox = 0;
  const std::vector<CorpusFile> files = files_of_the_collections();
  for (const CorpusFile& file : files) {
    add(file.collection, file.content);
    with_nul += file.content.find('\0') != std::string::npos ? 1 : 0;
    with_bare_line_ends += file.content.find("\r\n") == std::string::npos ? 1 : 0;
    for (const mbox::MboxMessage& message : messages_in(file.content)) {
      if (message.content.empty()) continue;  // no server has an empty message
      add(file.collection + "/mbox", message.content);
      ++of_mbox;
    }
  }
  if (std::getenv("CI") != nullptr) {
    EXPECT_GE(files.size(), 6900U);
    EXPECT_GE(of_mbox, 300U);
    EXPECT_GE(with_nul, 300U);
    EXPECT_GE(with_bare_line_ends, 3000U);
  }
  const auto before = seen();
  ASSERT_TRUE(sync());
  EXPECT_EQ(progress.items_new, files.size() + of_mbox);
  EXPECT_EQ(progress.unreadable + progress.too_large, 0U);
  server.folders.clear();
  server.folders["INBOX"];
  const auto report = restore();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_TRUE(report->is_exact());
  EXPECT_EQ(report->count(Outcome::restored), files.size() + of_mbox);
  auto after = seen();
  for (const auto& [folder, messages] : before) EXPECT_EQ(after[folder], messages) << folder;
  EXPECT_EQ(after.size(), before.size());
}

// Events and contacts have CRLF where the server gives none at all: XML takes it away (docs/flows/backup.md).
std::string with_line_ends(const std::string& content) {
  return content.find('\r') == std::string::npos ? mbox::with_crlf(content) : content;
}

class CorporaDavTest : public DavRecoverFixture {};

TEST_F(CorporaDavTest, every_event_and_contact_goes_in_and_comes_out_byte_for_byte) {
  CORPUS_OR_RETURN(root, "itip-calendar-vcard");
  std::size_t events = 0, contacts = 0;
  for (const CorpusFile& file : files_of_the_collections()) {
    const std::string name = std::to_string(events + contacts);
    if (file.path.ends_with(".ics") && ++events > 0) work().put(name + ".ics", file.content);
    if (file.path.ends_with(".vcf") && ++contacts > 0) friends().put(name + ".vcf", file.content);
  }
  EXPECT_GE(events, 340U);
  EXPECT_GE(contacts, 70U);
  for (const bool has_multiget : {true, false}) {
    dav.ways.has_multiget = has_multiget;
    Picture before;
    std::size_t without_cr = 0;
    for (const auto& [folder, items] : there()) {
      for (const auto& [content, flags] : items) {
        before[folder].emplace(with_line_ends(content), flags);
        without_cr += with_line_ends(content) != content ? 1 : 0;
      }
    }
    const Status synced = sync();
    ASSERT_TRUE(synced) << synced.error().detail;
    EXPECT_EQ(progress.unreadable + progress.too_large, 0U);
    work().items.clear();
    friends().items.clear();
    const auto report = restore();
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_TRUE(report->is_exact());
    EXPECT_EQ(report->count(Outcome::restored), events + contacts);
    EXPECT_EQ(report->count_equal_in_meaning(), 0U);
    EXPECT_TRUE(there() == before);
    if (has_multiget) EXPECT_LT(without_cr, events + contacts) << "some are kept as they are";
  }
}

}  // namespace
}  // namespace mailhold::recover
