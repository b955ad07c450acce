#include "features/recover/export.h"

#include <boost/json.hpp>

#include <fstream>

#include "base/text.h"
#include "fakes/cut_mail.h"
#include "fakes/dav_recover_fixture.h"
#include "formats/mbox/mbox.h"
#include "platform/crypto/hash.h"

namespace mailhold::recover {
namespace {

// Prints name and content, in hex, of every file in a ZIP; a reader that shares nothing with the writer.
constexpr const char* unzip = R"(
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    for entry in archive.infolist():
        print(entry.filename.encode().hex(), archive.read(entry).hex() or "-")
)";

// Of the test's own reader: content by name.
std::map<std::string, std::string> unpacked(const std::filesystem::path& path) {
  const std::filesystem::path script = path.parent_path() / "unzip.py";
  std::ofstream(script) << unzip;
  std::FILE* pipe = ::popen(("/usr/bin/python3 " + script.string() + " " + path.string()).c_str(), "r");
  std::map<std::string, std::string> files;
  std::string said;
  for (char buffer[4096]; const std::size_t count = std::fread(buffer, 1, sizeof buffer, pipe);) said.append(buffer, count);
  EXPECT_EQ(::pclose(pipe), 0);
  for (const std::string_view line : split(said, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() == 2) files[*from_hex(words[0])] = words[1] == "-" ? "" : *from_hex(words[1]);
  }
  return files;
}

// Mixed into a fixture with a backup.
template <class Fixture>
class Exporting : public Fixture {
 protected:
  Result<ExportReport> write(ExportRequest request = {}) {
    request.mailbox = this->mailbox.id;
    std::ofstream file(path(), std::ios::binary | std::ios::trunc);
    Export exporting({*this->book, *this->store,
                      [this](const ExportReport& report, const Deadline&) -> Result<std::string> {
                        receipted = report.manifest_sha256;
                        return std::string("receipt");
                      }},
                     [&](std::string_view bytes) -> Status {
                       if (disk_left < bytes.size()) return Error{ErrorKind::unavailable, "no space left"};
                       disk_left -= bytes.size();
                       file << bytes;
                       return done();
                     });
    if (request.as_of == 0) request.as_of = this->now;
    return exporting.run(request, this->soon());
  }
  std::filesystem::path path() const { return this->settings.folder / "export.zip"; }
  std::map<std::string, std::string> unpacked() { return recover::unpacked(path()); }

  std::string receipted;
  std::size_t disk_left = std::size_t{1} << 30;
};

// What the manifest says of every file but itself and its receipt.
void expect_whole(const std::map<std::string, std::string>& files, const std::string& receipted) {
  std::size_t lines = 0;
  const std::string& manifest = files.at("MANIFEST.sha256");
  for (const std::string_view line : split(manifest, '\n')) {
    if (line.empty()) continue;
    ++lines;
    EXPECT_EQ(to_hex(crypto::sha256(files.at(std::string(line.substr(66))))), line.substr(0, 64));
  }
  EXPECT_EQ(lines, files.size() - 2);
  EXPECT_EQ(receipted, crypto::sha256(manifest));
}

// The lines of the index.
std::vector<boost::json::object> index_of(const std::map<std::string, std::string>& files) {
  std::vector<boost::json::object> items;
  for (const std::string_view line : split(files.at("INDEX.jsonl"), '\n')) {
    if (!line.empty()) items.push_back(boost::json::parse(boost::json::string_view(line.data(), line.size())).as_object());
  }
  return items;
}

class ExportTest : public Exporting<RecoverFixture> {
 protected:
  void SetUp() override {
    RecoverFixture::SetUp();
    fill(6, 3);
    FakeMessage& quoted = server.folders["INBOX"].add("Subject: quoted\r\n\r\nFrom the middle\r\n>From\r\n", {"\\Flagged"});
    quoted.date = "29-Feb-2024 23:59:58 +0545";
    ASSERT_TRUE(sync());
  }
};

TEST_F(ExportTest, holds_every_item_exactly_with_an_index_and_a_manifest_of_all) {
  const auto report = write();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->items, 10U);
  EXPECT_EQ(report->failed, 0U);
  auto files = unpacked();
  std::multiset<std::string> contents, expected;
  for (const auto& [name, content] : files) {
    if (name.ends_with(".eml")) contents.insert(content);
  }
  for (const auto& [name, folder] : server.folders)
    for (const FakeMessage& message : folder.messages) expected.insert(message.content);
  EXPECT_EQ(contents, expected);
  EXPECT_TRUE(std::any_of(files.begin(), files.end(), [](const auto& file) { return file.first.starts_with("Archive/2026/"); }));
  expect_whole(files, receipted);
  std::size_t flagged = 0;
  for (const boost::json::object& item : index_of(files)) {
    EXPECT_EQ(to_hex(crypto::sha256(files.at(std::string(item.at("file").as_string())))), item.at("sha256").as_string());
    const bool is_flagged = item.at("flags") == boost::json::array{"\\Flagged"};
    flagged += is_flagged ? 1 : 0;
    EXPECT_EQ(item.at("received_at"), is_flagged ? "2024-02-29T18:14:58.000Z" : "1996-07-17T09:44:25.000Z");
    EXPECT_EQ(item.at("zone_minutes"), is_flagged ? 5 * 60 + 45 : -7 * 60);
  }
  EXPECT_EQ(flagged, 1U);
}

TEST_F(ExportTest, as_of_a_moment_and_only_a_folder) {
  const Milliseconds before = now;
  server.folders["Archive/2026"].messages.clear();
  ASSERT_TRUE(sync());
  ExportRequest request;
  request.from = {"Archive"};
  request.as_of = before;
  EXPECT_EQ(write(request)->items, 3U);
  request.as_of = now;
  EXPECT_EQ(write(request)->items, 0U);
  request.from = {"Nowhere"};
  EXPECT_EQ(write(request).error().kind, ErrorKind::not_found);
}

TEST_F(ExportTest, mbox_is_read_back_to_the_same_messages) {
  ExportRequest request;
  request.form = ExportForm::mbox;
  ASSERT_TRUE(write(request));
  const auto files = unpacked();
  mbox::MboxReader reader;
  ASSERT_TRUE(reader.receive(files.at("INBOX.mbox")));
  ASSERT_TRUE(reader.end());
  std::multiset<std::string> contents, expected;
  while (auto message = reader.next()) contents.insert(mbox::with_crlf(message->content));
  for (const FakeMessage& message : server.folders["INBOX"].messages) expected.insert(message.content);
  EXPECT_EQ(contents, expected);
}

TEST_F(ExportTest, mail_that_ends_before_its_end_is_exported_as_it_is) {
  const std::vector<std::string> cut = cut_mail(40);
  for (const std::string& content : cut) server.folders["Cut"].add(content, {});
  ASSERT_TRUE(sync());
  ExportRequest request;
  request.from = {"Cut"};
  ASSERT_EQ(write(request)->items, cut.size());
  std::multiset<std::string> contents;
  for (const auto& [name, content] : unpacked()) {
    if (name.ends_with(".eml")) contents.insert(content);
  }
  EXPECT_EQ(contents, std::multiset<std::string>(cut.begin(), cut.end()));
}

TEST_F(ExportTest, an_item_that_does_not_open_is_named_and_stops_nothing) {
  const auto folders = book->folders_as_of(mailbox, now, soon());
  const auto items = book->items_as_of(folders->front(), now, soon());
  ASSERT_TRUE(store->forget(tenant, items->front().message, soon()));
  const auto report = write();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->failed, 1U);
  EXPECT_EQ(report->items, 9U);
  EXPECT_NE(unpacked().at("INDEX.jsonl").find("\"failed\""), std::string::npos);
}

TEST_F(ExportTest, a_full_disk_is_an_error) {
  disk_left = 500;
  EXPECT_EQ(write().error().detail, "no space left");
}

class DavExportTest : public Exporting<DavRecoverFixture> {};

TEST_F(DavExportTest, events_and_contacts_are_files_of_their_own_kind_in_either_form) {
  std::multiset<std::string> events, contacts;
  for (int i = 0; i < 5; ++i) {
    work().put("e" + std::to_string(i) + ".ics", *events.insert(event("e" + std::to_string(i))));
    friends().put("c" + std::to_string(i) + ".vcf", *contacts.insert(contact("c" + std::to_string(i))));
  }
  mailbox.kind = mailboxes::MailboxKind::dav;
  ASSERT_TRUE(book->put_mailbox(mailbox, soon()));
  ASSERT_TRUE(sync());
  for (const ExportForm form : {ExportForm::files, ExportForm::mbox}) {
    ExportRequest request;
    request.form = form;
    const auto report = write(request);
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->items, 10U);
    EXPECT_EQ(report->failed, 0U);
    const auto files = unpacked();
    EXPECT_EQ(files.size(), 10U + 3U);
    expect_whole(files, receipted);
    std::multiset<std::string> ics, vcf;
    for (const boost::json::object& item : index_of(files)) {
      const std::string name(item.at("file").as_string());
      EXPECT_EQ(to_hex(crypto::sha256(files.at(name))), item.at("sha256").as_string());
      const bool is_event = name.starts_with("Calendars/Work/") && name.ends_with(".ics");
      EXPECT_TRUE(is_event || (name.starts_with("Address books/Friends/") && name.ends_with(".vcf"))) << name;
      (is_event ? ics : vcf).insert(files.at(name));
    }
    EXPECT_EQ(ics, events);
    EXPECT_EQ(vcf, contacts);
  }
}

TEST(ExportNames, cannot_leave_the_folder_they_are_unpacked_into) {
  EXPECT_EQ(file_name_of(".."), "%2e%2e");
  EXPECT_EQ(file_name_of("a/b\\c"), "a%2fb%5cc");
  EXPECT_EQ(file_name_of("nul.txt"), "%6eul.txt");
  EXPECT_EQ(file_name_of("Entw\xc3\xbcrfe"), "Entw\xc3\xbcrfe");
  EXPECT_EQ(file_name_of("a\n b "), "a%0a b%20");
  EXPECT_EQ(file_name_of(""), "%");
  EXPECT_EQ(file_name_of("100%"), "100%25");
  EXPECT_LE(file_name_of(std::string(1000, 'a')).size(), 180U);
}

}  // namespace
}  // namespace mailhold::recover
