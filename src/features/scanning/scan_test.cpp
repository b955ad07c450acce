#include "features/scanning/scan.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <zlib.h>

#include <ctime>
#include <thread>

#include "base/bytes.h"
#include "base/text.h"
#include "corpora.h"
#include "features/scanning/fake_answers_for_test.h"
#include "formats/mime/message.h"
#include "formats/mime/transfer.h"
#include "platform/net/stream.h"

namespace mailhold::scanning {
namespace {

std::string sample(const std::string& name) {
  return read_whole_file(std::string(MAILHOLD_SOURCE_DIR) + "/tests/samples/" + name);
}

ScanRequest request_for(std::string_view content) {
  ScanRequest request;
  request.tenant = Id::random();
  request.client_ip = "192.0.2.1";
  request.helo = "mail.sender.example";
  request.mail_from = "ann@sender.example";
  request.rcpt_to = {"bob@customer.example"};
  request.authserv_id = "mx.customer.example";
  request.link_base = "https://links.example.net/";
  request.received_at = 1'795'340'000'000;
  request.content = content;
  return request;
}

Deadline soon() { return Deadline::after(std::chrono::seconds(10)); }

bool has_reason(const ScanResult& result, std::string_view code) {
  for (const Reason& reason : result.reasons) {
    if (reason.code == code) return true;
  }
  return false;
}

std::string codes(const ScanResult& result) {
  std::string all;
  for (const Reason& reason : result.reasons) all += " " + reason.code;
  return all;
}

class ScanMessage : public testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(load_scan_tables()); }
  ScanResult scan(const std::string& content) {
    content_ = content;
    return scan_message(request_for(content_), answers_, soon());
  }
  std::string final_message(const ScanResult& result) {
    auto bytes = apply_splices(content_, result.splices);
    EXPECT_TRUE(bytes);
    return bytes ? *bytes : std::string();
  }
  FakeAnswers answers_;
  std::string content_;
};

TEST_F(ScanMessage, rewrites_the_links_of_a_plain_message_and_nothing_else) {
  const ScanResult result = scan(sample("plain.eml"));
  EXPECT_FALSE(result.findings.malformed);
  EXPECT_EQ(result.facts.subject, "Lunch on Thursday");
  EXPECT_EQ(result.facts.from, std::vector<std::string>{"ann@sender.example"});
  EXPECT_EQ(result.facts.message_id, "plain-1@sender.example");
  EXPECT_EQ(result.facts.link_count, 1u);
  std::string expected = content_;
  const std::string link = "http://bistro.example/menu?day=4";
  expected.replace(expected.find(link), link.size(), "https://links.example.net/0");
  EXPECT_EQ(final_message(result), expected);
}

TEST_F(ScanMessage, lists_attachments_and_lays_out_the_final_message) {
  const ScanResult result = scan(sample("html-links-attachment.eml"));
  EXPECT_FALSE(result.findings.malformed) << codes(result);
  EXPECT_EQ(result.facts.subject, "Übersicht and invoice");
  ASSERT_EQ(result.facts.attachments.size(), 1u);
  EXPECT_EQ(result.facts.attachments[0].name, "invoice.pdf");
  EXPECT_EQ(result.facts.attachments[0].type, "application/pdf");
  EXPECT_EQ(result.facts.attachments[0].sha256.size(), 64u);
  EXPECT_EQ(answers_.wrapped, 2u);
  const std::string bytes = final_message(result);
  const mime::Message message = mime::parse(bytes);
  std::vector<mime::Span> leaves;
  for (const mime::Part& part : message.parts) {
    if (part.is_leaf()) leaves.push_back(part.body);
  }
  ASSERT_EQ(result.layout.size(), leaves.size());
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    EXPECT_EQ(result.layout[i].offset, leaves[i].offset) << i;
    EXPECT_EQ(result.layout[i].length, leaves[i].length) << i;
  }
  EXPECT_TRUE(result.layout.back().base64);
  EXPECT_NE(bytes.find("mailto:help@sender.example"), std::string::npos);
}

TEST_F(ScanMessage, finds_the_test_virus_in_an_attachment) {
  const ScanResult result = scan(sample("eicar.eml"));
  EXPECT_EQ(result.findings.virus, "Eicar-Test-File");
}

TEST_F(ScanMessage, removes_fields_that_pretend_to_be_ours) {
  const ScanResult result = scan(sample("spoofed.eml"));
  const std::string bytes = final_message(result);
  EXPECT_TRUE(bytes.starts_with("From: \"Bank of Example\"")) << bytes.substr(0, 100);
  EXPECT_TRUE(has_reason(result, "header.forged_field"));
  EXPECT_TRUE(has_reason(result, "header.forged_results"));
}

TEST_F(ScanMessage, fails_dmarc_of_a_spoofed_author) {
  answers_.txt["_dmarc.bank.example"] = "v=DMARC1; p=reject";
  answers_.txt["sender.example"] = "v=spf1 ip4:192.0.2.1 -all";
  const ScanResult result = scan(sample("spoofed.eml"));
  EXPECT_EQ(result.authentication.spf, "pass");
  EXPECT_EQ(result.authentication.dkim, "none");
  EXPECT_EQ(result.authentication.dmarc, "fail");
  EXPECT_EQ(result.authentication.dmarc_policy, "reject");
  EXPECT_TRUE(result.findings.dmarc_reject);
  EXPECT_TRUE(result.authentication.field.starts_with("mx.customer.example")) << result.authentication.field;
}

TEST_F(ScanMessage, passes_dmarc_of_an_aligned_author) {
  answers_.txt["_dmarc.sender.example"] = "v=DMARC1; p=reject";
  answers_.txt["sender.example"] = "v=spf1 ip4:192.0.2.1 -all";
  const ScanResult result = scan(sample("plain.eml"));
  EXPECT_EQ(result.authentication.dmarc, "pass");
  EXPECT_FALSE(result.findings.dmarc_reject);
  EXPECT_LE(answers_.batches, 2u) << "the questions known beforehand go in one batch";
}

TEST_F(ScanMessage, judges_a_message_with_two_readings_as_malformed) {
  const ScanResult result = scan(sample("malformed.eml"));
  EXPECT_TRUE(result.findings.malformed);
  EXPECT_TRUE(has_reason(result, "malformed.two_boundaries"));
}

TEST_F(ScanMessage, names_the_type_of_a_program_whatever_its_name) {
  const ScanResult result = scan(sample("executable.eml"));
  EXPECT_EQ(result.findings.blocked_type, "application/x-dosexec");
  EXPECT_TRUE(has_reason(result, "attachment.double_extension"));
}

TEST_F(ScanMessage, leaves_signed_parts_byte_for_byte) {
  const ScanResult result = scan(sample("pgp-signed.eml"));
  EXPECT_TRUE(result.findings.protected_content);
  EXPECT_TRUE(result.splices.empty());
  EXPECT_TRUE(has_reason(result, "links.protected"));
}

TEST_F(ScanMessage, leaves_links_that_are_ours_already) {
  const ScanResult result = scan("From: a@sender.example\r\n\r\nhttps://links.example.net/host/token and http://x.example/\r\n");
  EXPECT_EQ(answers_.wrapped, 1u);
  EXPECT_EQ(result.splices.size(), 1u);
}

TEST_F(ScanMessage, does_not_put_an_unfit_answer_into_a_message) {
  answers_.replacement = "https://links.example.net/\r\nBcc: x@example.com";
  EXPECT_TRUE(scan(sample("plain.eml")).splices.empty());
}

TEST_F(ScanMessage, rewrites_nothing_where_that_is_switched_off) {
  content_ = sample("plain.eml");
  ScanRequest request = request_for(content_);
  request.rewrite_links = false;
  EXPECT_TRUE(scan_message(request, answers_, soon()).splices.empty());
}

TEST_F(ScanMessage, notices_two_authors_fields) {
  EXPECT_TRUE(scan("From: a@sender.example\r\nFrom: b@bank.example\r\n\r\nx\r\n").findings.malformed);
}

TEST_F(ScanMessage, says_when_clamd_is_away) {
  content_ = sample("html-links-attachment.eml");
  ScanRequest request = request_for(content_);
  request.ask_clamd = true;
  EXPECT_TRUE(scan_message(request, answers_, soon()).findings.virus_scan_missing);
}

// Speaks clamd's side of a session over a socket pair: finds "bad" and counts what it was shown.
class FakeClamd {
 public:
  Result<int> connect() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      return Error{ErrorKind::unavailable, "no socket pair"};
    thread_ = std::thread([this, end = ends[1]] { serve(*net::stream_over(end)); });
    return ends[0];
  }
  ~FakeClamd() {
    if (thread_.joinable()) thread_.join();
  }
  std::vector<std::string> shown;

 private:
  void serve(net::Stream& stream) {
    std::string input;
    const auto need = [&](std::size_t count) {
      while (input.size() < count) {
        auto more = stream.read_some(Deadline::after(std::chrono::seconds(5)));
        if (!more || more->empty()) return false;
        input += *more;
      }
      return true;
    };
    const auto take = [&](std::size_t count) {
      std::string out = input.substr(0, count);
      input.erase(0, count);
      return out;
    };
    if (!need(11) || take(11) != std::string("zIDSESSION\0", 11)) return;
    while (need(5) && input.compare(0, 5, std::string("zEND\0", 5)) != 0) {
      if (!need(10) || take(10) != std::string("zINSTREAM\0", 10)) return;
      std::string content;
      for (;;) {
        if (!need(4)) return;
        const std::string header = take(4);
        ByteReader reader(header);
        const std::uint32_t size = reader.u32();
        if (size == 0) break;
        if (!need(size)) return;
        content += take(size);
      }
      shown.push_back(content);
      const std::string verdict = content.find("bad") != std::string::npos ? "Test.Bad FOUND" : "OK";
      (void)stream.write_all(std::to_string(shown.size()) + ": stream: " + verdict + std::string(1, '\0'),
                             Deadline::after(std::chrono::seconds(5)));
    }
  }
  std::thread thread_;
};

TEST_F(ScanMessage, shows_clamd_attachments_decoded_and_the_whole_message) {
  content_ = "From: a@sender.example\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
             to_base64("some bad bytes") + "\r\n";
  ScanRequest request = request_for(content_);
  request.ask_clamd = true;
  FakeClamd clamd;
  answers_.clamd = [&] { return clamd.connect(); };
  const ScanResult result = scan_message(request, answers_, soon());
  EXPECT_EQ(result.findings.virus, "Test.Bad");
  EXPECT_FALSE(result.findings.virus_scan_missing);
  EXPECT_EQ(clamd.shown, (std::vector<std::string>{"some bad bytes", content_}));
}

TEST_F(ScanMessage, does_not_bother_clamd_with_plain_text) {
  content_ = sample("plain.eml");
  ScanRequest request = request_for(content_);
  request.ask_clamd = true;
  EXPECT_FALSE(scan_message(request, answers_, soon()).findings.virus_scan_missing);
}

TEST_F(ScanMessage, ordinary_mail_is_not_malformed) {
  CORPUS_OR_RETURN(folder, "spamassassin-public-corpus");
  std::size_t ham = 0, malformed = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".eml" || entry.path().string().find("ham-") == std::string::npos) continue;
    const ScanResult result = scan(read_whole_file(entry.path()));
    ++ham;
    malformed += result.findings.malformed;
    EXPECT_FALSE(result.findings.unscannable) << entry.path();
    if (result.findings.malformed) std::printf("malformed: %s%s\n", entry.path().filename().c_str(), codes(result).c_str());
    EXPECT_TRUE(apply_splices(content_, result.splices));
  }
  std::printf("whole scan of ham: %zu of %zu judged malformed (%.2f %%)\n", malformed, ham,
              100.0 * static_cast<double>(malformed) / static_cast<double>(ham));
  EXPECT_LE(malformed * 200, ham);
}

TEST_F(ScanMessage, every_message_of_the_attack_suites_is_caught) {
  CORPUS_OR_RETURN(folder, "noxxi-mime-is-broken");
  std::size_t cases = 0, virus = 0, caught = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "hide-content.d")) {
    if (!entry.is_regular_file()) continue;
    const ScanResult result = scan(read_whole_file(entry.path()));
    ++cases;
    virus += !result.findings.virus.empty();
    const bool is_caught = !result.findings.virus.empty() || result.findings.malformed || !result.findings.blocked_type.empty();
    caught += is_caught;
    EXPECT_TRUE(is_caught) << result.facts.subject << codes(result);
  }
  std::printf("noxxi-mime-is-broken: %zu of %zu caught, virus named in %zu\n", caught, cases, virus);
}

// Each hides from some readers that its second attachment is a .zip (its content is text): the name is found, or what is odd is
// said.
TEST_F(ScanMessage, every_hidden_file_name_is_caught) {
  CORPUS_OR_RETURN(folder, "noxxi-mime-is-broken");
  std::size_t cases = 0, named = 0, malformed = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder / "hide-filename.d")) {
    if (!entry.is_regular_file()) continue;
    const ScanResult result = scan(read_whole_file(entry.path()));
    ++cases;
    const bool is_named =
        std::any_of(result.facts.attachments.begin(), result.facts.attachments.end(),
                    [](const Attachment& attachment) { return attachment.name.find("zip") != std::string::npos; });
    named += is_named;
    malformed += !is_named && result.findings.malformed;
    std::string names;
    for (const Attachment& attachment : result.facts.attachments) names += " [" + attachment.name + "]";
    EXPECT_TRUE(is_named || result.findings.malformed) << result.facts.subject << names << codes(result);
  }
  std::printf("noxxi-mime-is-broken, file names: %zu of %zu caught (%zu named, %zu judged malformed)\n", named + malformed, cases,
              named, malformed);
}

// T14: bombs end within their limits and say so.
class Bombs : public ScanMessage {
 protected:
  void expect_unscannable(const std::string& content, const char* what) {
    const std::clock_t start = std::clock();
    const ScanResult result = scan(content);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    EXPECT_TRUE(result.findings.unscannable) << what << codes(result);
    EXPECT_LT(seconds, 5.0) << what;
    std::printf("bomb: %s %.3f s CPU, %zu KiB\n", what, seconds, content.size() / 1024);
  }
};

TEST_F(Bombs, ten_thousand_nested_parts) {
  std::string bytes = "From: a@example.com\r\n";
  for (int i = 0; i < 10'000; ++i)
    bytes += "Content-Type: multipart/mixed; boundary=b" + std::to_string(i) + "\r\n\r\n--b" + std::to_string(i) + "\r\n";
  expect_unscannable(bytes, "10,000 nested parts");
}

TEST_F(Bombs, a_million_header_fields) {
  std::string bytes = "From: a@example.com\r\n";
  for (int i = 0; i < 1'000'000; ++i) bytes += "X-A: b\r\n";
  expect_unscannable(bytes + "\r\n", "1,000,000 header fields");
}

TEST_F(Bombs, an_encoded_word_storm) {
  std::string bytes = "From: a@example.com\r\nSubject:";
  for (int i = 0; i < 200'000; ++i) bytes += " =?utf-8?Q?=41?=\r\n";
  const std::clock_t start = std::clock();
  const ScanResult result = scan(bytes + "\r\nx\r\n");
  EXPECT_LE(result.facts.subject.size(), 998u);
  EXPECT_LT(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, 5.0);
}

void put(std::string& out, std::size_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> 8 * i));
}

// An archive with one deflated file.
std::string zip_of(const std::string& name, const std::string& content) {
  std::string packed(::compressBound(content.size()), '\0');
  z_stream stream{};
  ::deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  ::deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  std::string common;  // version .. extra length, the same in both headers
  put(common, 20, 2), put(common, 0, 2), put(common, 8, 2), put(common, 0, 4), put(common, 0, 4);
  put(common, packed.size(), 4), put(common, content.size() & 0xffffffff, 4), put(common, name.size(), 2), put(common, 0, 2);
  std::string zip = "PK\x03\x04" + common + name + packed;
  const std::size_t directory = zip.size();
  zip += "PK\x01\x02";
  put(zip, 20, 2);
  zip += common;
  put(zip, 0, 2), put(zip, 0, 2), put(zip, 0, 2), put(zip, 0, 4), put(zip, 0, 4);
  zip += name;
  const std::size_t size = zip.size() - directory;
  zip += "PK\x05\x06";
  put(zip, 0, 4), put(zip, 1, 2), put(zip, 1, 2), put(zip, size, 4), put(zip, directory, 4), put(zip, 0, 2);
  return zip;
}

TEST_F(Bombs, an_archive_that_unpacks_to_a_gigabyte) {
  std::string bomb = zip_of("zeros", std::string(1u << 30, '\0'));
  bomb = zip_of("inner.zip", bomb);
  expect_unscannable("From: a@example.com\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
                         mime::encode_base64_lines(bomb, 76, "\r\n", true),
                     "zip of a gigabyte in a zip");
}

TEST_F(Bombs, archives_in_archives_without_end) {
  std::string bomb = "x";
  for (int i = 0; i < 10; ++i) bomb = zip_of("inner.zip", bomb);
  expect_unscannable("From: a@example.com\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
                         mime::encode_base64_lines(bomb, 76, "\r\n", true),
                     "zip ten deep");
}

TEST_F(Bombs, a_base64_line_of_sixty_megabytes) {
  const std::clock_t start = std::clock();
  const ScanResult result =
      scan("From: a@example.com\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
           std::string(60u << 20, 'A') + "=.\r\n");
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  std::printf("bomb: base64 line %.3f s CPU, unscannable %d\n", seconds, result.findings.unscannable);
  EXPECT_TRUE(result.findings.unscannable || result.findings.malformed);
}

}  // namespace
}  // namespace mailhold::scanning
