"""The search itself, headless and single-threaded: records, events, their fold, and the round. numpy only."""
