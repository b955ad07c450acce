#include "core/broker/submission_messages.h"

#include <gtest/gtest.h>

namespace mailhold::broker {
namespace {

TEST(SubmissionMessages, each_frame_comes_back_as_it_was) {
  SubmissionResult result{.outcome = {{{smtp::RecipientResult::delivered, smtp::reply(250, "2.0.0", "ok")},
                                       {smtp::RecipientResult::failed, smtp::reply(550, "5.1.1", "nobody")}}},
                          .session_goes_on = true};
  const SubmissionFrame frames[] = {SubmissionOpened{},
                                    SubmissionClose{},
                                    SubmissionChunk{"bytes"},
                                    SubmissionRefused{{ErrorKind::denied, "no"}},
                                    Submit{{"ann@a.example", {"bob@b.example", "cid@b.example"}, "id"}, 12},
                                    result};
  for (const SubmissionFrame& frame : frames) {
    const std::string bytes = encode(frame);
    const auto back = parse_submission_frame(bytes);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->index(), frame.index());
    EXPECT_EQ(encode(*back), bytes);
    EXPECT_FALSE(parse_submission_frame(bytes + "x").operator bool() && frame.index() != 3);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      if (frame.index() != 3) EXPECT_FALSE(parse_submission_frame(std::string_view(bytes).substr(0, size))) << frame.index();
    }
  }
}

TEST(SubmissionMessages, bounds_are_kept) {
  EXPECT_FALSE(parse_submission_frame(encode(SubmissionChunk{std::string(submission_chunk_bytes_max + 1, 'x')})));
  EXPECT_TRUE(parse_submission_frame(encode(SubmissionChunk{std::string(submission_chunk_bytes_max, 'x')})));
  EXPECT_FALSE(parse_submission_frame(encode(Submit{{"", {}, ""}, 1})));
  EXPECT_FALSE(parse_submission_frame(encode(Submit{{"", std::vector<std::string>(1001, "a@b"), ""}, 1})));
  EXPECT_FALSE(parse_submission_frame(encode(Submit{{"", {"a@b"}, ""}, submission_bytes_max + 1})));
}

}  // namespace
}  // namespace mailhold::broker
