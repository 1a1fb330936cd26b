{
  "targets": [
    {
      "target_name": "bioalbert",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": ["native/CMakeLists.txt"],
          "outputs": ["native/build/Release/bioalbert.node"],
          "action": ["npm", "run", "build:native"]
        }
      ]
    }
  ]
}
