"""The pages as JSON under /api, for programs, with a document that says what there is (OpenAPI)."""
