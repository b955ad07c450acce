// Programs that read documents, as copies of a zygote start them: the real one in the jail of the product, and ones that fail in
// every way a program may.
#include "features/scanning/document_program.h"

#include <gtest/gtest.h>

#include <fstream>

#include "corpora.h"
#include "features/scanning/zygote.h"
#include "platform/sandbox/profiles.h"

namespace mailhold::scanning {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t plenty = 1U << 20;

Deadline soon() { return Deadline::after(30s); }

class DocumentProgramTest : public testing::Test {
 protected:
  void use(DocumentProgram program, const std::function<Status()>& confine_zygote = {}) {
    settings_.confine_zygote = confine_zygote;
    settings_.serve = [program = std::move(program)](ipc::OwnedFd socket, const Id&) {
      serve_document(std::move(socket), program);
    };
    auto started = Zygote::start(settings_);
    ASSERT_TRUE(started);
    zygote_ = std::move(*started);
  }
  void use_shell(const std::string& script, std::chrono::seconds time_max = 10s) {
    DocumentProgram program;
    program.path = "/bin/sh";
    program.arguments = {"-c", script};
    program.time_max = time_max;
    use(std::move(program));
  }
  static std::string sample() { return read_whole_file(std::string(MAILHOLD_SOURCE_DIR) + "/tests/samples/words.pdf"); }
  // As scannerd has it.
  void use_jailed(std::vector<std::string> arguments = DocumentProgram().arguments) {
    const sandbox::Profile own = sandbox::profile_of("document-zygote", {});
    auto jail = sandbox::PreparedProfile::make_for_copies(sandbox::profile_of("document-program", {}), own);
    ASSERT_TRUE(jail) << jail.error().detail;
    DocumentProgram program;
    program.arguments = std::move(arguments);
    program.confine = [jail = *jail] { return jail.tighten(); };
    use(std::move(program), [own, jail = *jail]() -> Status {
      RETURN_IF_ERROR(sandbox::enter(own));
      return jail.self_test();
    });
  }
  DocumentText read(std::string_view document, std::size_t bytes_max = plenty, const Deadline& deadline = soon()) {
    auto started = zygote_->start_worker(Id(), soon());
    EXPECT_TRUE(started);
    if (!started) return {};
    return read_by_program(ipc::OwnedFd(started->socket), document, bytes_max, deadline);
  }

  ZygoteSettings settings_;
  std::unique_ptr<Zygote> zygote_;
};

#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
TEST_F(DocumentProgramTest, the_text_of_a_PDF_comes_out_of_the_jail) {
  ASSERT_TRUE(is_installed(DocumentProgram())) << "packaging/setup run";
  use_jailed();
  const auto begin = std::chrono::steady_clock::now();
  constexpr int rounds = 10;
  for (int i = 0; i < rounds; ++i) {
    const DocumentText text = read(sample());
    EXPECT_TRUE(text.whole);
    EXPECT_NE(text.text.find("ber Kreidefelsen, chalk cliffs"), std::string::npos) << text.text;
  }
  std::printf("a PDF: %.1f ms\n",
              std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count() / rounds);
  // Larger than what fits into the socket, and what is none.
  std::string large = sample();
  large.insert(large.find("%%EOF"), "%" + std::string(8U << 20, 'x') + "\n");
  EXPECT_NE(read(large).text.find("chalk"), std::string::npos);
  EXPECT_FALSE(read("%PDF-1.4 nothing behind it").whole);
  EXPECT_FALSE(read(std::string(4U << 20, 'x')).whole);
  EXPECT_TRUE(read(sample()).whole);
}

TEST_F(DocumentProgramTest, T12_in_the_jail_it_opens_no_other_document) {
  const std::string path = std::string(MAILHOLD_SOURCE_DIR) + "/tests/samples/words.pdf";
  DocumentProgram outside;
  outside.arguments = {"-q", path, "-"};
  use(std::move(outside));
  EXPECT_TRUE(read("").whole);  // else what follows could not fail
  use_jailed({"-q", path, "-"});
  const DocumentText text = read("");
  EXPECT_FALSE(text.whole);
  EXPECT_EQ(text.text, "");
  const std::string written = testing::TempDir() + "out-of-the-jail-" + std::to_string(::getpid());
  use_jailed({"-q", "-", written});
  EXPECT_FALSE(read(sample()).whole);
  EXPECT_FALSE(std::filesystem::exists(written));
}
#endif

TEST_F(DocumentProgramTest, a_program_that_fails_costs_its_text_only) {
  use_shell("cat; echo seen");
  DocumentText text = read("document\n");
  EXPECT_TRUE(text.whole);
  EXPECT_EQ(text.text, "document\nseen\n");
  use_shell("cat; exit 3");
  text = read("some text\n");
  EXPECT_FALSE(text.whole);
  EXPECT_EQ(text.text, "some text\n");
  use_shell("kill -SEGV $$");
  EXPECT_FALSE(read(std::string(4U << 20, 'x')).whole);
  DocumentProgram none;
  none.path = "/nonexistent";
  EXPECT_FALSE(is_installed(none));
  use(none);
  EXPECT_FALSE(read("x").whole);
  DocumentProgram not_confined;
  not_confined.path = "/bin/cat";
  not_confined.arguments = {};
  use(not_confined);
  EXPECT_TRUE(read("x").whole);
  not_confined.confine = []() -> Status { return Error{ErrorKind::bug, "no jail"}; };
  use(not_confined);
  EXPECT_FALSE(read("x").whole);
}

TEST_F(DocumentProgramTest, complaints_go_nowhere_and_block_nobody) {
  use_shell("i=0; while [ $i -lt 20000 ]; do echo complaint $i >&2; i=$((i+1)); done; cat");
  const DocumentText text = read("x");
  EXPECT_TRUE(text.whole);
  EXPECT_EQ(text.text, "x");
}

TEST_F(DocumentProgramTest, a_program_that_hangs_is_ended) {
  use_shell("cat >/dev/null; exec sleep 60", 1s);
  auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(read("x").whole);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  // It neither reads nor writes: the worker's own deadline.
  use_shell("exec sleep 60");
  begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(read(std::string(4U << 20, 'x'), plenty, Deadline::after(500ms)).whole);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  DocumentProgram busy;
  busy.path = "/bin/sh";
  busy.arguments = {"-c", "while :; do :; done"};
  busy.cpu_max = 1s;
  use(std::move(busy));
  begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(read("x").whole);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 9s);
}

TEST_F(DocumentProgramTest, text_without_end_is_cut) {
  use_shell("cat >/dev/null; exec yes word");
  const DocumentText text = read("x", 100'000);
  EXPECT_FALSE(text.whole);
  EXPECT_EQ(text.text.size(), 100'000U);
  use_shell("cat");
  EXPECT_TRUE(read(std::string(1000, 'x'), 1000).whole);
  EXPECT_FALSE(read(std::string(1001, 'x'), 1000).whole);
}

}  // namespace
}  // namespace mailhold::scanning
