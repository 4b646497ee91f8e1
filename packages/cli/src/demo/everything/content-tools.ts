import type { ContentBlock, McpServer } from "@modelcontextprotocol/server";
import { failure, text } from "../results.ts";
import { RED_PIXEL_PNG, SILENT_WAV } from "./media.ts";

const image: ContentBlock = { type: "image", data: RED_PIXEL_PNG, mimeType: "image/png" };

/** One tool for each kind of content a tool can answer with, and one that fails. */
export function addContentTools(server: McpServer): void {
  server.registerTool("test_simple_text", { description: "Answers with a text." }, () => text("A plain text answer."));
  server.registerTool("test_image_content", { description: "Answers with an image: one red pixel." }, () => ({
    content: [image],
  }));
  server.registerTool("test_audio_content", { description: "Answers with a sound: a moment of silence." }, () => ({
    content: [{ type: "audio", data: SILENT_WAV, mimeType: "audio/wav" }],
  }));
  server.registerTool("test_embedded_resource", { description: "Answers with a resource inside the result." }, () => ({
    content: [
      {
        type: "resource",
        resource: {
          uri: "test://embedded-resource",
          mimeType: "text/plain",
          text: "The text of an embedded resource.",
        },
      },
    ],
  }));
  server.registerTool(
    "test_multiple_content_types",
    { description: "Answers with a text, an image and a resource at once." },
    () => ({
      content: [
        { type: "text", text: "A text, an image and a resource:" },
        image,
        {
          type: "resource",
          resource: {
            uri: "test://mixed-content-resource",
            mimeType: "application/json",
            text: JSON.stringify({ kind: "mixed", parts: 3 }),
          },
        },
      ],
    }),
  );
  server.registerTool("test_error_handling", { description: "Fails every time." }, () =>
    failure("This tool always fails, so that error handling can be tried out."),
  );
}
