"""The parts of `hemascope evaluate`: one file a topic, which computes figures and says how they are drawn."""
