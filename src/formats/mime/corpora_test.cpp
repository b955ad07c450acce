// The two sides of judging malformed mail: hidden contents must be found or the message judged malformed, and
// ordinary mail, clumsy as it is, must pass.
#include <gtest/gtest.h>

#include <map>

#include "corpora.h"
#include "formats/mime/readings.h"

namespace mailhold::mime {
namespace {

constexpr std::string_view eicar = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";

struct Judgement {
  bool malformed = false;
  bool eicar_found = false;
  bool zip_found = false;
  std::string reasons;
};

Judgement judge(const std::string& bytes) {
  Judgement judgement;
  Message message = parse(bytes);
  visit_readings(bytes, message, {}, [&](const Reading& reading) {
    judgement.eicar_found |= reading.bytes.find(eicar) != std::string_view::npos;
    judgement.zip_found |= reading.bytes.starts_with("PK\x03\x04");
  });
  judgement.malformed = message.oddities.any_matters() || message.oddities.any_limit();
  for (const Oddity& oddity : message.oddities.all())
    judgement.reasons += " " + std::string(name_of(oddity.kind)) + (matters(oddity.kind) ? "!" : "");
  return judgement;
}

std::vector<std::filesystem::path> messages_below(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && name != "SOURCE.txt" && name != "LABELS.tsv" && name != "cases.json")
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

bool is_verbose() { return std::getenv("MAILHOLD_VERBOSE") != nullptr; }

TEST(MimeCorpora, every_hidden_eicar_is_found_or_the_message_is_malformed) {
  CORPUS_OR_RETURN(folder, "mimeminer-cases");
  int cases = 0, found = 0, malformed_only = 0;
  for (const auto& path : messages_below(folder)) {
    const std::string name = path.stem().string();
    const Judgement judgement = judge(read_whole_file(path));
    if (name == "normal_msg") {  // the one case without a payload
      EXPECT_FALSE(judgement.malformed) << judgement.reasons;
      continue;
    }
    ++cases;
    found += judgement.eicar_found;
    malformed_only += !judgement.eicar_found && judgement.malformed;
    EXPECT_TRUE(judgement.eicar_found || judgement.malformed) << name << judgement.reasons;
    if (is_verbose()) std::printf("%s found=%d%s\n", name.c_str(), judgement.eicar_found, judgement.reasons.c_str());
  }
  std::printf("mimeminer-cases: %d of %d caught (%d found, %d judged malformed)\n", found + malformed_only, cases, found,
              malformed_only);
}

TEST(MimeCorpora, every_odd_encoding_of_eicar_is_found_or_malformed) {
  CORPUS_OR_RETURN(folder, "mimeminer-eicar");
  int cases = 0, found = 0, malformed_only = 0;
  for (const auto& path : messages_below(folder / "eicar")) {
    const std::string name = path.filename().string();
    const std::string encoding = name.starts_with("b64") ? "base64" : name.starts_with("qp") ? "quoted-printable" : "7bit";
    const std::string bytes =
        "From: a@example.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=foo\r\n\r\n--foo\r\n"
        "Content-Type: application/octet-stream\r\nContent-Disposition: attachment; "
        "filename=eicar.com\r\nContent-Transfer-Encoding: " +
        encoding + "\r\n\r\n" + read_whole_file(path) + "\r\n--foo--\r\n";
    const Judgement judgement = judge(bytes);
    ++cases;
    found += judgement.eicar_found;
    malformed_only += !judgement.eicar_found && judgement.malformed;
    EXPECT_TRUE(judgement.eicar_found || judgement.malformed) << name << judgement.reasons;
    if (is_verbose()) std::printf("%s found=%d%s\n", name.c_str(), judgement.eicar_found, judgement.reasons.c_str());
  }
  std::printf("mimeminer-eicar: %d of %d caught (%d found, %d judged malformed)\n", found + malformed_only, cases, found,
              malformed_only);
}

TEST(MimeCorpora, every_hidden_archive_is_seen_or_the_message_is_malformed) {
  CORPUS_OR_RETURN(folder, "noxxi-mime-is-broken");
  int cases = 0, found = 0, malformed_only = 0, missed = 0;
  for (const auto& path : messages_below(folder / "hide-content.d")) {
    const std::string bytes = read_whole_file(path);
    const Judgement judgement = judge(bytes);
    ++cases;
    found += judgement.zip_found;
    malformed_only += !judgement.zip_found && judgement.malformed;
    if (judgement.zip_found || judgement.malformed) continue;
    ++missed;
    const std::size_t subject = bytes.find("Subject:");
    std::printf("missed: %s%s\n", bytes.substr(subject, bytes.find('\n', subject) - subject).c_str(), judgement.reasons.c_str());
  }
  std::printf("noxxi-mime-is-broken: %d of %d caught (%d found, %d judged malformed)\n", found + malformed_only, cases, found,
              malformed_only);
  EXPECT_EQ(missed, 0);
}

void expect_few_malformed(const std::vector<std::filesystem::path>& paths, const char* title) {
  std::size_t malformed = 0;
  std::map<std::string, int> notes;
  for (const auto& path : paths) {
    const Judgement judgement = judge(read_whole_file(path));
    if (is_verbose()) notes[judgement.reasons]++;
    if (!judgement.malformed) continue;
    ++malformed;
    std::printf("malformed: %s%s\n", path.filename().c_str(), judgement.reasons.c_str());
  }
  for (const auto& [reasons, times] : notes) std::printf("%5d%s\n", times, reasons.c_str());
  std::printf("%s: %zu of %zu judged malformed (%.2f %%)\n", title, malformed, paths.size(),
              100.0 * static_cast<double>(malformed) / static_cast<double>(paths.size()));
  EXPECT_LE(malformed * 200, paths.size()) << "more than 0.5 %";
}

TEST(MimeCorpora, ordinary_mail_is_not_malformed) {
  CORPUS_OR_RETURN(folder, "spamassassin-public-corpus");
  std::vector<std::filesystem::path> ham;
  for (const auto& path : messages_below(folder)) {
    if (path.string().find("ham-") != std::string::npos) ham.push_back(path);
  }
  expect_few_malformed(ham, "spamassassin ham");
}

TEST(MimeCorpora, mailing_list_mail_is_not_malformed) {
  CORPUS_OR_RETURN(folder, "notmuch-corpora");
  expect_few_malformed(messages_below(folder), "notmuch-corpora");
}

}  // namespace
}  // namespace mailhold::mime
